//! What OpenVINO can compute on: its runtime is loaded where one is installed, asked for its devices, and a small model runs on
//! each of them.

use super::tree::Tree;
use super::{Answer, drm, libraries};
use openvino::{Core, DeviceType, ElementType, PropertyKey, Shape, Tensor};
use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};

/// The runtime's C interface.
const LIBRARY: &str = "libopenvino_c.so";

/// Multiplies four numbers by themselves: the smallest model that shows that a device computes.
const SQUARES: &str = r#"<?xml version="1.0"?>
<net name="squares" version="11">
  <layers>
    <layer id="0" name="x" type="Parameter" version="opset1">
      <data shape="4" element_type="f32"/>
      <output><port id="0" precision="FP32"><dim>4</dim></port></output>
    </layer>
    <layer id="1" name="squared" type="Multiply" version="opset1">
      <data auto_broadcast="numpy"/>
      <input>
        <port id="0" precision="FP32"><dim>4</dim></port>
        <port id="1" precision="FP32"><dim>4</dim></port>
      </input>
      <output><port id="2" precision="FP32"><dim>4</dim></port></output>
    </layer>
    <layer id="2" name="result" type="Result" version="opset1">
      <input><port id="0" precision="FP32"><dim>4</dim></port></input>
    </layer>
  </layers>
  <edges>
    <edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
    <edge from-layer="0" from-port="0" to-layer="1" to-port="1"/>
    <edge from-layer="1" from-port="2" to-layer="2" to-port="0"/>
  </edges>
</net>
"#;

/// Why asking is in vain, where it is.
pub fn why_not(tree: &Tree) -> Option<String> {
    if !libraries::find(LIBRARY).is_empty() {
        return None;
    }
    let card = drm::cards(tree).into_iter().find(|card| card.maker == drm::INTEL);
    let waits = card.map_or_else(String::new, |card| format!("; it would serve the {}", card.described()));
    Some(format!("the runtime is not installed ({LIBRARY}; `pip install openvino` in the worker's environment brings it){waits}"))
}

/// The runtime's devices, each with what it computed. Runs in a process of its own.
pub fn probe(tree: &Tree) -> Answer {
    let mut core = match open() {
        Ok(core) => core,
        Err(why) => return Answer::absent(why, tree),
    };
    let names = match core.available_devices() {
        Ok(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        Err(error) => return Answer::absent(format!("the runtime does not list its devices: {error}"), tree),
    };
    let build = openvino::version().build_number;
    let devices: Vec<Device> = names.iter().map(|name| device(&mut core, name, &build, tree)).collect();
    if devices.is_empty() {
        return Answer::absent(format!("the runtime OpenVINO {build} lists no device"), tree);
    }
    Answer { warnings: tree.warnings(), ..Answer::found(devices) }
}

fn open() -> Result<Core, String> {
    let mut why = format!("{LIBRARY} is not here");
    for path in libraries::find(LIBRARY) {
        match openvino_sys::library::load_from(path.clone()) {
            Ok(()) => return Core::new().map_err(|error| format!("the runtime {} does not start: {error}", path.display())),
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn device(core: &mut Core, name: &str, build: &str, tree: &Tree) -> Device {
    let kind = DeviceType::from(name);
    let told = |core: &Core, key| core.get_property(&kind, &key).ok().filter(|text| !text.is_empty());
    let probe = match squares(core, name) {
        Ok(()) => ProbeLevel::Executed,
        Err(why) => {
            tree.warn(format!("OpenVINO's device {name} is listed and does not compute: {why}"));
            ProbeLevel::Enumerated
        }
    };
    let memory = told(core, PropertyKey::Other("GPU_DEVICE_TOTAL_MEM_SIZE".into()));
    Device {
        name: told(core, PropertyKey::DeviceFullName),
        address: Some(name.to_owned()),
        memory_bytes: memory.and_then(|bytes| bytes.parse().ok()),
        runtime: Some(format!("OpenVINO {build}")),
        architecture: told(core, PropertyKey::Other("DEVICE_ARCHITECTURE".into())),
        precisions: precisions(&told(core, PropertyKey::DeviceCapabilities).unwrap_or_default()),
        ..Device::of_kind(HardwareKind::Openvino, probe)
    }
}

fn squares(core: &mut Core, name: &str) -> Result<(), String> {
    let said = |error: openvino::InferenceError| error.to_string();
    let model = core.read_model_from_buffer(SQUARES.as_bytes(), None).map_err(said)?;
    let mut compiled = core.compile_model(&model, DeviceType::from(name)).map_err(said)?;
    let mut request = compiled.create_infer_request().map_err(said)?;
    let mut input = Shape::new(&[4]).and_then(|shape| Tensor::new(ElementType::F32, &shape)).map_err(said)?;
    input.get_data_mut::<f32>().map_err(said)?.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    request.set_input_tensor(&input).and_then(|()| request.infer()).map_err(said)?;
    let output = request.get_output_tensor().map_err(said)?;
    let numbers = output.get_data::<f32>().map_err(said)?;
    let expected = [1.0, 4.0, 9.0, 16.0];
    let is_close = numbers.len() == 4 && numbers.iter().zip(expected).all(|(one, other)| (one - other).abs() < 0.1);
    if is_close { Ok(()) } else { Err(format!("the squares of 1, 2, 3, 4 came out as {numbers:?}")) }
}

/// From a list such as `FP32 BF16 FP16 INT8 BIN WINOGRAD EXPORT_IMPORT`.
fn precisions(capabilities: &str) -> Vec<Precision> {
    let words: Vec<&str> = capabilities.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let known = [Precision::Fp64, Precision::Fp32, Precision::Bf16, Precision::Fp16, Precision::Int8, Precision::Int4];
    known.into_iter().filter(|precision| words.iter().any(|word| word.eq_ignore_ascii_case(precision.name()))).collect()
}

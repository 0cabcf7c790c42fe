//! The GPUs WebGPU can use, each with a shader that ran on it. Only in builds with the feature `webgpu`: the library behind it
//! takes longer to compile than the rest of the worker.

use super::Answer;
use super::tree::Tree;

/// Why asking is in vain, where it is.
#[cfg(not(feature = "webgpu"))]
pub fn why_not() -> Option<String> {
    Some("this build has no WebGPU (build the worker with `--features webgpu`)".into())
}

/// Nothing without the feature.
#[cfg(not(feature = "webgpu"))]
pub async fn probe(tree: &Tree) -> Answer {
    Answer::absent(why_not().expect("this build has none"), tree)
}

/// Why asking is in vain, where it is.
#[cfg(feature = "webgpu")]
pub fn why_not() -> Option<String> {
    None
}

#[cfg(feature = "webgpu")]
pub use asked::probe;

#[cfg(feature = "webgpu")]
mod asked {
    use super::{Answer, Tree};
    use shared::hardware::{Device, HardwareKind, Precision, ProbeLevel};
    use wgpu::util::DeviceExt;
    use wgpu::{Adapter, Backends, BufferUsages, Instance, InstanceDescriptor};

    /// Squares each number.
    const SQUARES: &str = "@group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
        @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            numbers[id.x] = numbers[id.x] * numbers[id.x];
        }";

    /// Every adapter with what it computed. Runs in a process of its own.
    pub async fn probe(tree: &Tree) -> Answer {
        let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
        let mut devices = Vec::new();
        for adapter in instance.enumerate_adapters(Backends::PRIMARY).await {
            let name = adapter.get_info().name;
            let probe = match squares(&adapter).await {
                Ok(numbers) if numbers == [1.0, 4.0, 9.0, 16.0] => ProbeLevel::Executed,
                Ok(numbers) => {
                    tree.warn(format!("{name} computes the squares of 1, 2, 3, 4 as {numbers:?}"));
                    ProbeLevel::Enumerated
                }
                Err(why) => {
                    tree.warn(format!("{name} is listed and does not compute: {why}"));
                    ProbeLevel::Enumerated
                }
            };
            devices.push(described(&adapter, probe));
        }
        if devices.is_empty() {
            let hint = "a Vulkan driver is needed, such as Debian's mesa-vulkan-drivers";
            return Answer::absent(format!("no adapter: {hint}"), tree);
        }
        Answer { warnings: tree.warnings(), ..Answer::found(devices) }
    }

    fn described(adapter: &Adapter, probe: ProbeLevel) -> Device {
        let info = adapter.get_info();
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        let mut precisions = vec![Precision::Fp32];
        if adapter.features().contains(wgpu::Features::SHADER_F64) {
            precisions.insert(0, Precision::Fp64);
        }
        if adapter.features().contains(wgpu::Features::SHADER_F16) {
            precisions.push(Precision::Fp16);
        }
        Device {
            name: said(info.name),
            address: said(info.device_pci_bus_id),
            version: said(format!("{} {}", info.driver, info.driver_info).trim().to_owned()),
            runtime: Some(format!("WebGPU on {}, {:?}", info.backend, info.device_type)),
            precisions,
            ..Device::of_kind(HardwareKind::Webgpu, probe)
        }
    }

    async fn squares(adapter: &Adapter) -> Result<Vec<f32>, String> {
        let (device, queue) = adapter.request_device(&Default::default()).await.map_err(|error| error.to_string())?;
        let source = wgpu::ShaderSource::Wgsl(SQUARES.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let bytes: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|number| number.to_le_bytes()).collect();
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        let numbers = device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents: &bytes, usage });
        let back = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 16,
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let bound = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: numbers.as_entire_binding() }],
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bound, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&numbers, 0, &back, 0, 16);
        queue.submit([encoder.finish()]);
        back.map_async(wgpu::MapMode::Read, .., |_| ());
        device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| error.to_string())?;
        let view = back.get_mapped_range(..).map_err(|error| error.to_string())?;
        Ok(view.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("they are four"))).collect())
    }
}

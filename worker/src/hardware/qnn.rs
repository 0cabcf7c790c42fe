//! Qualcomm's accelerators: a runtime library that answers, and a device node of the kernel, or there is none.
//!
//! The runtime's entry point is `QnnInterface_getProviders`, described in the QNN SDK's header QnnInterface.h: it hands out an
//! array of pointers to structures that begin with the backend's number, the provider's name and six numbers of versions.

use super::tree::Tree;
use super::{Answer, libraries};
use shared::hardware::{Device, HardwareKind, ProbeLevel};
use std::ffi::{CStr, c_char};
use std::path::Path;

/// The runtime's libraries: what they compute on, and the device nodes without which they cannot.
const BACKENDS: [(&str, &str, &[&str]); 2] = [
    ("libQnnHtp.so", "Hexagon tensor processor", &["dev/fastrpc-cdsp", "dev/fastrpc-cdsp-secure", "dev/adsprpc-smd"]),
    ("libQnnGpu.so", "Adreno GPU", &["dev/kgsl-3d0"]),
];

/// What a backend says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Provider {
    name: String,
    api: (u32, u32),
}

/// Why asking is in vain, where it is.
pub fn why_not(tree: &Tree) -> Option<String> {
    if BACKENDS.iter().any(|(library, ..)| !libraries::find(library).is_empty()) {
        return None;
    }
    let names = BACKENDS.map(|(library, ..)| library).join(", ");
    let node = BACKENDS.iter().flat_map(|(.., nodes)| nodes.iter()).find(|node| tree.has(node));
    let waits = node.map_or_else(String::new, |node| format!("; the device /{node} is there and waits for it"));
    Some(format!("the runtime is not installed ({names}; set QNN_SDK_ROOT or LD_LIBRARY_PATH where it is){waits}"))
}

/// The backends that answer and have their device. Runs in a process of its own.
pub fn probe(tree: &Tree) -> Answer {
    let (mut devices, mut reasons) = (Vec::new(), Vec::new());
    for (library, what, nodes) in BACKENDS {
        let Some(path) = libraries::find(library).into_iter().next() else { continue };
        let provider = match ask(&path) {
            Ok(provider) => provider,
            Err(why) => {
                reasons.push(format!("{library} does not answer: {why}"));
                continue;
            }
        };
        let runtime = format!("QNN {} API {}.{}", provider.name, provider.api.0, provider.api.1);
        match nodes.iter().find(|node| tree.has(node)) {
            Some(node) => devices.push(Device {
                vendor: Some("Qualcomm".into()),
                name: Some(what.to_owned()),
                address: Some(format!("/{node}")),
                runtime: Some(runtime),
                ..Device::of_kind(HardwareKind::Qnn, ProbeLevel::Enumerated)
            }),
            None => reasons.push(format!("the runtime {library} answers ({runtime}), but there is no device /{}", nodes[0])),
        }
    }
    if devices.is_empty() {
        return Answer::absent(reasons.join("; "), tree);
    }
    reasons.into_iter().for_each(|why| tree.warn(why));
    Answer { warnings: tree.warnings(), ..Answer::found(devices) }
}

/// The beginning of `QnnInterface_t`.
#[repr(C)]
struct Interface {
    backend: u32,
    name: *const c_char,
    core_major: u32,
    core_minor: u32,
    core_patch: u32,
}

#[expect(unsafe_code, reason = "a runtime that is loaded by name can only be called through its C interface")]
fn ask(library: &Path) -> Result<Provider, String> {
    type GetProviders = unsafe extern "C" fn(*mut *const *const Interface, *mut u32) -> u64;
    // SAFETY: the library's initialisers run, in a process that exists for nothing else.
    let loaded = unsafe { libloading::Library::new(library) }.map_err(|error| error.to_string())?;
    // SAFETY: the type is that of the header, the same in every version of the interface.
    let providers = unsafe { loaded.get::<GetProviders>(b"QnnInterface_getProviders\0") }.map_err(|error| error.to_string())?;
    let (mut list, mut count) = (std::ptr::null(), 0);
    // SAFETY: both places live until the call returns.
    let code = unsafe { providers(&raw mut list, &raw mut count) };
    if code != 0 || count == 0 || list.is_null() {
        return Err(format!("it lists no provider (error {code})"));
    }
    // SAFETY: the library owns the array and the structures in it while it is loaded, and the count is its own.
    let first = unsafe { (*list).as_ref() }.ok_or("its first provider is missing")?;
    if first.name.is_null() {
        return Err("its first provider has no name".into());
    }
    // SAFETY: the header says that the name ends with a zero and is never freed.
    let name = unsafe { CStr::from_ptr(first.name) }.to_string_lossy().into_owned();
    Ok(Provider { name, api: (first.core_major, first.core_minor) })
}

//! The calls of the host that the SDK makes dearer than they are. No other file of this crate has `unsafe` in it, the names
//! aside that `exports.rs` gives to the host.
//!
//! Its header map copies every name and every value into an allocation of its own, which costs a tenth of what the filter does
//! with a request; its properties make the path anew each time, and panic where the host answers what they do not expect; its
//! time is of the kind that counts in 128 bits; and its replies serialize what they have in common each time.

use portcullis_engine::{HeaderName, parse_header_map};
use proxy_wasm::types::{MapType, Status};

/// `proxy_result_t` of the ABI: success.
const OK: u32 = 0;

#[link(wasm_import_module = "env")]
#[expect(unsafe_code, reason = "the SDK exposes these calls only with what makes them dear")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, data: *const u8, size: usize) -> u32;
}

/// What the host returns by `call`, which gets the places for its address and its size; `None` where the host has none.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data: *mut u8 = std::ptr::null_mut();
    let mut size: usize = 0;
    if call(&raw mut data, &raw mut size) != OK {
        return None;
    }
    if data.is_null() {
        return Some(Vec::new());
    }
    // SAFETY: the memory is of the SDK's `proxy_on_memory_allocate`, which the host must call for it: a `Vec<u8>` of
    // this capacity, leaked, and written up to `size`. Nobody else has it, so it may be a `Vec` again, as the SDK
    // itself does with whatever a host returns.
    #[expect(unsafe_code, reason = "takes over what the SDK allocated for the host")]
    let bytes = unsafe { Vec::from_raw_parts(data, size, size) };
    Some(bytes)
}

/// Nanoseconds since 1970-01-01T00:00:00Z; `None` where the host has no clock.
pub(crate) fn current_time() -> Option<u64> {
    let mut time: u64 = 0;
    // SAFETY: the host writes the place it is given and nothing else.
    #[expect(unsafe_code, reason = "a call of the host")]
    let result = unsafe { proxy_get_current_time_nanoseconds(&raw mut time) };
    (result == OK).then_some(time)
}

/// A property of the host's; in its path, a zero byte stands between two names.
pub(crate) fn property(path: &[u8]) -> Option<Vec<u8>> {
    returned(|data, size| {
        // SAFETY: the host reads the path, writes the two places it is given and nothing else.
        #[expect(unsafe_code, reason = "a call of the host")]
        unsafe {
            proxy_get_property(path.as_ptr(), path.len(), data, size)
        }
    })
}

/// Sets a property, of a path as [`property`] has it. Gives the host's `proxy_result_t` where it does not.
pub(crate) fn set_property(path: &[u8], value: &[u8]) -> Result<(), u32> {
    // SAFETY: the host reads the path and the value, and writes nothing.
    #[expect(unsafe_code, reason = "a call of the host")]
    let result = unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
    if result == OK { Ok(()) } else { Err(result) }
}

/// Answers a request; the headers are a header map as the host has it. Gives the host's `proxy_result_t` where it does not.
pub(crate) fn reply(status: u16, headers: &[u8], body: &[u8]) -> Result<(), u32> {
    let (details, no_grpc_status) = (&[], -1);
    // SAFETY: the host reads the details, the body and the headers, and writes nothing.
    #[expect(unsafe_code, reason = "a call of the host")]
    let result = unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            no_grpc_status,
        )
    };
    if result == OK { Ok(()) } else { Err(result) }
}

/// A header map in the host's memory layout: one piece of memory, read where it stands.
pub(crate) struct HeaderMap(Vec<u8>);

impl HeaderMap {
    pub(crate) fn read(map: MapType) -> Result<Self, Status> {
        let bytes = returned(|data, size| {
            // SAFETY: the host writes the two places it is given and nothing else.
            #[expect(unsafe_code, reason = "a call of the host")]
            unsafe {
                proxy_get_header_map_pairs(map as u32, data, size)
            }
        });
        bytes.map(Self).ok_or(Status::InternalFailure)
    }

    /// The headers, in the order of the wire.
    pub(crate) fn headers(&self) -> Result<Vec<(HeaderName<'_>, &[u8])>, Status> {
        parse_header_map(&self.0).ok_or(Status::ParseFailure)
    }
}

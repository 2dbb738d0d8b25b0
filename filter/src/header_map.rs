//! A header map as the host hands it over: one piece of memory, read where it stands.
//!
//! The SDK's own call copies every name and every value into an allocation of its own, which costs a tenth of what the
//! filter does with a request. No other file of this crate has `unsafe` in it.

use portcullis_engine::parse_header_map;
use proxy_wasm::types::{MapType, Status};

/// `proxy_result_t` of the ABI: success.
const OK: u32 = 0;

/// A header map in the host's memory layout.
pub(crate) struct HeaderMap(Vec<u8>);

#[link(wasm_import_module = "env")]
#[expect(unsafe_code, reason = "the SDK exposes this call only with a copy of every header")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
}

impl HeaderMap {
    pub(crate) fn read(map: MapType) -> Result<Self, Status> {
        let mut data: *mut u8 = std::ptr::null_mut();
        let mut size: usize = 0;
        // SAFETY: the host writes the two places it is given and nothing else.
        #[expect(unsafe_code, reason = "a call of the host")]
        let result = unsafe { proxy_get_header_map_pairs(map as u32, &raw mut data, &raw mut size) };
        if result != OK {
            return Err(Status::InternalFailure);
        }
        if data.is_null() {
            return Ok(Self(Vec::new()));
        }
        // SAFETY: the memory is of the SDK's `proxy_on_memory_allocate`, which the host must call for it: a `Vec<u8>` of
        // this capacity, leaked, and written up to `size`. Nobody else has it, so it may be a `Vec` again, as the SDK
        // itself does with whatever a host returns.
        #[expect(unsafe_code, reason = "takes over what the SDK allocated for the host")]
        let bytes = unsafe { Vec::from_raw_parts(data, size, size) };
        Ok(Self(bytes))
    }

    /// The headers, in the order of the wire.
    pub(crate) fn headers(&self) -> Result<Vec<(&str, &[u8])>, Status> {
        parse_header_map(&self.0).ok_or(Status::ParseFailure)
    }
}

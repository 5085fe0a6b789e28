//! Function codes of S7comm and what they ask for.

use gwcore::OpClass;

/// Name and class of a function.
pub fn function(code: u8) -> (&'static str, OpClass) {
    match code {
        0x00 => ("cpu_services", OpClass::Other),
        0x04 => ("read_var", OpClass::Read),
        0x05 => ("write_var", OpClass::SetPoint),
        0x1a => ("request_download", OpClass::Download),
        0x1b => ("download_block", OpClass::Download),
        0x1c => ("download_ended", OpClass::Download),
        0x1d => ("start_upload", OpClass::Upload),
        0x1e => ("upload", OpClass::Upload),
        0x1f => ("end_upload", OpClass::Upload),
        0x28 => ("pi_service", OpClass::Mode),
        0x29 => ("plc_stop", OpClass::Mode),
        0xf0 => ("setup_communication", OpClass::Other),
        _ => ("unknown", OpClass::Other),
    }
}

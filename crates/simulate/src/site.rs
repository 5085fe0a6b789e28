//! The points of the site: what each session reads and commands, the same on every day.

/// DNP3 outstations 10 and 11 (the first two RTUs), master 1.
pub(crate) mod dnp3 {
    /// Link addresses of the outstations, and of the master.
    pub(crate) const OUTSTATIONS: [u16; 2] = [10, 11];
    pub(crate) const MASTER: u16 = 1;
    /// Number of analog inputs (g30/g32), 32 bit with flags: voltage in V, current in 10 mA, power in kW, frequency in mHz,
    /// temperature in tenths, then voltage, current and power of the second transformer.
    pub(crate) const ANALOGS: u8 = 8;
    /// Number of binary inputs (g1/g2): 0 closed, 1 open, 4 to 7 protection.
    pub(crate) const BINARIES: u8 = 12;
    /// Binary output (g12) of the breaker; pulse with trip or close (IEEE 1815 A.8.1).
    pub(crate) const BREAKER: u16 = 0;
    pub(crate) const TRIP: u8 = 0x81;
    pub(crate) const CLOSE: u8 = 0x41;
}

/// Modbus unit 1 of the PLC.
pub(crate) mod plc {
    /// Coil of the breaker; coils 0 to 7 are read, inputs 0 to 9.
    pub(crate) const BREAKER: u16 = 0;
    /// Holding registers 40 to 45: set point in tenths of a per cent, ramp in seconds, temperature in tenths, voltage in V, 0, mode.
    pub(crate) const SET_POINT: u16 = 40;
}

/// IEC 104 outstation with common address 71 (the third RTU).
pub(crate) mod rtu3 {
    pub(crate) const COMMON: u16 = 71;
    /// Five measurements from here: voltage, current, power, frequency, temperature.
    pub(crate) const MEASURED: u32 = 1_001;
    /// Double point of the breaker.
    pub(crate) const POSITION: u32 = 2_001;
    /// Four single points of protection from here.
    pub(crate) const ALARM: u32 = 2_101;
    /// Double command of the breaker and single command of the tap changer.
    pub(crate) const BREAKER: u32 = 6_001;
    pub(crate) const TAP: u32 = 6_002;
}

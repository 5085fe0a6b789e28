//! What IEC 60870-5-101 and -104 assign: type identifications with the layout of their elements, causes of transmission, U functions.

/// The information element of a type, time tag apart (IEC 60870-5-101 §7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// SIQ.
    Single,
    /// DIQ.
    Double,
    /// VTI, QDS.
    Step,
    /// BSI, QDS.
    Bits,
    /// NVA, QDS.
    Normalized,
    /// NVA alone.
    NormalizedBare,
    /// SVA, QDS.
    Scaled,
    /// IEEE STD 754, QDS.
    Float,
    /// BCR.
    Counter,
    /// AID, BCR (IEC TS 60870-5-7); some send the BCR alone.
    SecurityCounter,
    /// SEP, CP16Time2a.
    Protection,
    /// SPE, QDP, CP16Time2a.
    ProtectionStart,
    /// OCI, QDP, CP16Time2a.
    ProtectionOutput,
    /// SCD, QDS.
    PackedSingle,
    /// SCO.
    SingleCommand,
    /// DCO.
    DoubleCommand,
    /// RCO.
    StepCommand,
    /// NVA, QOS.
    SetNormalized,
    /// SVA, QOS.
    SetScaled,
    /// IEEE STD 754, QOS.
    SetFloat,
    /// BSI.
    BitsCommand,
    /// One octet of qualifier: COI, QOI, QCC, QRP, QPA.
    Qualifier,
    /// Nothing.
    Empty,
    /// Two octets: FBP or TSC.
    Pattern,
    /// CP16Time2a.
    Delay,
    /// NVA, QPM.
    ParameterNormalized,
    /// SVA, QPM.
    ParameterScaled,
    /// IEEE STD 754, QPM.
    ParameterFloat,
    /// NOF, LOF, FRQ.
    FileReady,
    /// NOF, NOS, LOF, SRQ.
    SectionReady,
    /// NOF, NOS and one octet: SCQ or AFQ.
    FileCall,
    /// NOF, NOS, LSQ, CHS.
    LastSection,
    /// NOF, NOS, LOS and so many octets.
    Segment,
    /// NOF, LOF, SOF.
    Directory,
    /// NOF, start and stop CP56Time2a.
    QueryLog,
    /// Not taken apart; no information object address either.
    Raw,
}

impl Element {
    /// Octets without the time tag; none when the element itself says.
    pub fn size(self) -> Option<usize> {
        use Element::*;
        Some(match self {
            Empty => 0,
            Single | Double | SingleCommand | DoubleCommand | StepCommand | Qualifier => 1,
            Step | NormalizedBare | Pattern | Delay => 2,
            Normalized | Scaled | SetNormalized | SetScaled | ParameterNormalized | ParameterScaled | Protection => 3,
            ProtectionStart | ProtectionOutput | BitsCommand | FileCall => 4,
            Bits | Float | Counter | PackedSingle | SetFloat | ParameterFloat | LastSection => 5,
            FileReady | Directory => 6,
            SecurityCounter | SectionReady => 7,
            QueryLog => 16,
            Segment | Raw => return None,
        })
    }

    /// Kind of point that values of it belong to; empty for what is no value of a point.
    pub fn table(self) -> &'static str {
        use Element::*;
        match self {
            Single | SingleCommand => "single",
            Double | DoubleCommand => "double",
            Step | StepCommand => "step",
            Bits | BitsCommand => "bitstring",
            Normalized | NormalizedBare | SetNormalized => "normalized",
            Scaled | SetScaled => "scaled",
            Float | SetFloat => "float",
            Counter => "integrated_totals",
            SecurityCounter => "security_statistics",
            Protection => "protection_event",
            ProtectionStart => "protection_start",
            ProtectionOutput => "protection_output",
            PackedSingle => "packed_single",
            ParameterNormalized => "parameter_normalized",
            ParameterScaled => "parameter_scaled",
            ParameterFloat => "parameter_float",
            _ => "",
        }
    }

    /// Whether its values are states rather than measurements.
    pub fn is_discrete(self) -> bool {
        use Element::*;
        !matches!(
            self,
            Normalized
                | NormalizedBare
                | SetNormalized
                | Scaled
                | SetScaled
                | Float
                | SetFloat
                | Counter
                | SecurityCounter
                | ParameterNormalized
                | ParameterScaled
                | ParameterFloat
        )
    }
}

/// The time tag that follows an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// None.
    None,
    /// CP24Time2a: within the hour.
    Cp24,
    /// CP56Time2a: to the year.
    Cp56,
}

impl Tag {
    /// Its octets.
    pub fn size(self) -> usize {
        match self {
            Tag::None => 0,
            Tag::Cp24 => 3,
            Tag::Cp56 => 7,
        }
    }
}

/// A type identification.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// Its name in the standard.
    pub name: &'static str,
    /// Its element.
    pub element: Element,
    /// Its time tag.
    pub tag: Tag,
}

/// The type with a number (IEC 60870-5-101 §7.2.1, -104 §6, TS 60870-5-7 §7.2 for 41 and 81–95).
pub fn type_of(id: u8) -> Option<Type> {
    use Element::*;
    use Tag::{Cp24, Cp56};
    const NONE: Tag = Tag::None;
    let (name, element, tag) = match id {
        1 => ("M_SP_NA_1", Single, NONE),
        2 => ("M_SP_TA_1", Single, Cp24),
        3 => ("M_DP_NA_1", Double, NONE),
        4 => ("M_DP_TA_1", Double, Cp24),
        5 => ("M_ST_NA_1", Step, NONE),
        6 => ("M_ST_TA_1", Step, Cp24),
        7 => ("M_BO_NA_1", Bits, NONE),
        8 => ("M_BO_TA_1", Bits, Cp24),
        9 => ("M_ME_NA_1", Normalized, NONE),
        10 => ("M_ME_TA_1", Normalized, Cp24),
        11 => ("M_ME_NB_1", Scaled, NONE),
        12 => ("M_ME_TB_1", Scaled, Cp24),
        13 => ("M_ME_NC_1", Float, NONE),
        14 => ("M_ME_TC_1", Float, Cp24),
        15 => ("M_IT_NA_1", Counter, NONE),
        16 => ("M_IT_TA_1", Counter, Cp24),
        17 => ("M_EP_TA_1", Protection, Cp24),
        18 => ("M_EP_TB_1", ProtectionStart, Cp24),
        19 => ("M_EP_TC_1", ProtectionOutput, Cp24),
        20 => ("M_PS_NA_1", PackedSingle, NONE),
        21 => ("M_ME_ND_1", NormalizedBare, NONE),
        30 => ("M_SP_TB_1", Single, Cp56),
        31 => ("M_DP_TB_1", Double, Cp56),
        32 => ("M_ST_TB_1", Step, Cp56),
        33 => ("M_BO_TB_1", Bits, Cp56),
        34 => ("M_ME_TD_1", Normalized, Cp56),
        35 => ("M_ME_TE_1", Scaled, Cp56),
        36 => ("M_ME_TF_1", Float, Cp56),
        37 => ("M_IT_TB_1", Counter, Cp56),
        38 => ("M_EP_TD_1", Protection, Cp56),
        39 => ("M_EP_TE_1", ProtectionStart, Cp56),
        40 => ("M_EP_TF_1", ProtectionOutput, Cp56),
        41 => ("S_IT_TC_1", SecurityCounter, Cp56),
        45 => ("C_SC_NA_1", SingleCommand, NONE),
        46 => ("C_DC_NA_1", DoubleCommand, NONE),
        47 => ("C_RC_NA_1", StepCommand, NONE),
        48 => ("C_SE_NA_1", SetNormalized, NONE),
        49 => ("C_SE_NB_1", SetScaled, NONE),
        50 => ("C_SE_NC_1", SetFloat, NONE),
        51 => ("C_BO_NA_1", BitsCommand, NONE),
        58 => ("C_SC_TA_1", SingleCommand, Cp56),
        59 => ("C_DC_TA_1", DoubleCommand, Cp56),
        60 => ("C_RC_TA_1", StepCommand, Cp56),
        61 => ("C_SE_TA_1", SetNormalized, Cp56),
        62 => ("C_SE_TB_1", SetScaled, Cp56),
        63 => ("C_SE_TC_1", SetFloat, Cp56),
        64 => ("C_BO_TA_1", BitsCommand, Cp56),
        70 => ("M_EI_NA_1", Qualifier, NONE),
        81 => ("S_CH_NA_1", Raw, NONE),
        82 => ("S_RP_NA_1", Raw, NONE),
        83 => ("S_AR_NA_1", Raw, NONE),
        84 => ("S_KR_NA_1", Raw, NONE),
        85 => ("S_KS_NA_1", Raw, NONE),
        86 => ("S_KC_NA_1", Raw, NONE),
        87 => ("S_ER_NA_1", Raw, NONE),
        90 => ("S_US_NA_1", Raw, NONE),
        91 => ("S_UQ_NA_1", Raw, NONE),
        92 => ("S_UR_NA_1", Raw, NONE),
        93 => ("S_UK_NA_1", Raw, NONE),
        94 => ("S_UA_NA_1", Raw, NONE),
        95 => ("S_UC_NA_1", Raw, NONE),
        100 => ("C_IC_NA_1", Qualifier, NONE),
        101 => ("C_CI_NA_1", Qualifier, NONE),
        102 => ("C_RD_NA_1", Empty, NONE),
        103 => ("C_CS_NA_1", Empty, Cp56),
        104 => ("C_TS_NA_1", Pattern, NONE),
        105 => ("C_RP_NA_1", Qualifier, NONE),
        106 => ("C_CD_NA_1", Delay, NONE),
        107 => ("C_TS_TA_1", Pattern, Cp56),
        110 => ("P_ME_NA_1", ParameterNormalized, NONE),
        111 => ("P_ME_NB_1", ParameterScaled, NONE),
        112 => ("P_ME_NC_1", ParameterFloat, NONE),
        113 => ("P_AC_NA_1", Qualifier, NONE),
        120 => ("F_FR_NA_1", FileReady, NONE),
        121 => ("F_SR_NA_1", SectionReady, NONE),
        122 => ("F_SC_NA_1", FileCall, NONE),
        123 => ("F_LS_NA_1", LastSection, NONE),
        124 => ("F_AF_NA_1", FileCall, NONE),
        125 => ("F_SG_NA_1", Segment, NONE),
        126 => ("F_DR_TA_1", Directory, Cp56),
        127 => ("F_SC_NB_1", QueryLog, NONE),
        _ => return None,
    };
    Some(Type { name, element, tag })
}

/// Name of a cause of transmission (IEC 60870-5-101 §7.2.3, TS 60870-5-7 for 14–16).
pub fn cause_name(cause: u8) -> &'static str {
    match cause {
        0 => "not used",
        1 => "periodic",
        2 => "background scan",
        3 => "spontaneous",
        4 => "initialized",
        5 => "request",
        6 => "activation",
        7 => "activation confirmation",
        8 => "deactivation",
        9 => "deactivation confirmation",
        10 => "activation termination",
        11 => "return information remote command",
        12 => "return information local command",
        13 => "file transfer",
        14 => "authentication",
        15 => "session key maintenance",
        16 => "user role and update key maintenance",
        20 => "interrogated by station",
        21..=36 => "interrogated by group",
        37 => "counter interrogated by station",
        38..=41 => "counter interrogated by group",
        44 => "unknown type identification",
        45 => "unknown cause of transmission",
        46 => "unknown common address",
        47 => "unknown information object address",
        _ => "reserved",
    }
}

/// Name of a U function by its first control octet (IEC 60870-5-104 §5.1).
pub fn u_name(control: u8) -> Option<&'static str> {
    Some(match control {
        0x07 => "STARTDT act",
        0x0b => "STARTDT con",
        0x13 => "STOPDT act",
        0x23 => "STOPDT con",
        0x43 => "TESTFR act",
        0x83 => "TESTFR con",
        _ => return None,
    })
}

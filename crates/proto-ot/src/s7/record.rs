//! The `s7comm` kind.

use gwcore::{Span, Sym};

gwcore::record! {
    /// One S7comm message; a job and its answer are two rows.
    pub struct S7Pdu, S7Columns = "s7comm", Pdu {
        /// A job or question rather than an answer or a notice.
        is_request: bool,
        /// Kind of message: 1 job, 2 acknowledgement, 3 acknowledgement with data, 7 user data.
        rosctr: u8,
        /// Reference that answers repeat.
        pdu_ref: u16,
        /// Function code; absent in user data and bare acknowledgements.
        function_code: Option<u8>,
        /// Name of the function.
        function_name: Option<Sym>,
        /// Error class of an answer, 0 for none.
        error_class: Option<u8>,
        /// Error code of an answer.
        error_code: Option<u8>,
        /// Set-up: unanswered jobs that the caller may have.
        max_amq_calling: Option<u16>,
        /// Set-up: unanswered jobs that the called side may have.
        max_amq_called: Option<u16>,
        /// Set-up: largest message.
        pdu_size: Option<u16> ["bytes"],
        /// Frame of the answer, or of the request.
        pair: Option<u64>,
        /// Time from request to answer.
        response_time: Option<Span> ["s"],
    }
}

//! The Modbus logs of ICSNPP: a line for each request with its answer.

use gwcore::Value;

use super::modbus::{exception, function};
use super::{HEAD, Log, SENDER};
use crate::bind::{
    Source::{self, Field, Missing, Pair, With},
    ViewField, When, field,
};
use crate::cell::Cell;

const NO_LINK: &str = "uid, tid and time link the lines";
const FUNCTION: Source = With(&[Field("function_code")], function);

pub(super) static LOG: Log = Log {
    path: "modbus_detailed",
    origin: "ICSNPP",
    kind: "modbus",
    when: When::OncePerPair,
    fields: &[HEAD, SENDER, FIELDS],
};

const FIELDS: &[ViewField] = &[
    field("tid", "count", Field("transaction_id")),
    field("unit", "count", Field("unit_id")),
    field("func", "string", FUNCTION),
    field("address", "count", Field("address")),
    field("quantity", "count", Field("quantity")),
    field("request_values", "vector[count]", With(&[Field("is_request"), Field("values")], of_request)),
    field("response_values", "vector[count]", With(&[Field("is_request"), Field("values"), Pair("values")], of_answer)),
    field("modbus_detailed_link_id", "string", Missing(NO_LINK)),
    field("matched", "bool", With(&[Pair("function_code")], matched)),
    field("request_subfunction_code", "string", With(&[Field("is_request"), Field("sub_function")], of_request)),
    field(
        "response_subfunction_code",
        "string",
        With(&[Field("is_request"), Field("sub_function"), Pair("sub_function")], of_answer),
    ),
    field("request_data", "string", With(&[Field("is_request"), Field("data")], of_request)),
    field("response_data", "string", With(&[Field("is_request"), Field("data"), Pair("data")], of_answer)),
    field("exception_code", "string", With(&[Field("exception_code"), Pair("exception_code")], either_exception)),
    field("mei_type", "string", Field("mei_type")),
];

pub(super) static MASK_WRITE: Log = Log {
    path: "modbus_mask_write_register",
    origin: "ICSNPP",
    kind: "modbus",
    when: When::Any(&["and_mask"]),
    fields: &[HEAD, SENDER, MASK_WRITE_FIELDS],
};

const MASK_WRITE_FIELDS: &[ViewField] = &[
    field("modbus_detailed_link_id", "string", Missing(NO_LINK)),
    field("tid", "count", Field("transaction_id")),
    field("unit", "count", Field("unit_id")),
    field("func", "string", FUNCTION),
    field("request_response", "string", With(&[Field("is_request")], request_response)),
    field("address", "count", Field("address")),
    field("and_mask", "count", Field("and_mask")),
    field("or_mask", "count", Field("or_mask")),
];

pub(super) static READ_WRITE: Log = Log {
    path: "modbus_read_write_multiple_registers",
    origin: "ICSNPP",
    kind: "modbus",
    when: When::Within("function_code", 23, 23),
    fields: &[HEAD, SENDER, READ_WRITE_FIELDS],
};

const READ_WRITE_FIELDS: &[ViewField] = &[
    field("modbus_detailed_link_id", "string", Missing(NO_LINK)),
    field("tid", "count", Field("transaction_id")),
    field("unit", "count", Field("unit_id")),
    field("func", "string", FUNCTION),
    field("request_response", "string", With(&[Field("is_request")], request_response)),
    field("write_start_address", "count", Field("write_address")),
    field("write_registers", "vector[count]", Field("write_values")),
    field("read_start_address", "count", Field("address")),
    field("read_quantity", "count", Field("quantity")),
    field("read_registers", "vector[count]", Field("values")),
];

pub(super) static DEVICE_IDENTIFICATION: Log = Log {
    path: "modbus_read_device_identification",
    origin: "ICSNPP",
    kind: "modbus",
    when: When::Within("mei_type", 14, 14),
    fields: &[HEAD, SENDER, DEVICE_FIELDS],
};

const DEVICE_FIELDS: &[ViewField] = &[
    field("modbus_detailed_link_id", "string", Missing(NO_LINK)),
    field("tid", "count", Field("transaction_id")),
    field("unit", "count", Field("unit_id")),
    field("func", "string", FUNCTION),
    field("request_response", "string", With(&[Field("is_request")], request_response)),
    field("mei_type", "string", Field("mei_type")),
    field("conformity_level_code", "string", Field("conformity_level")),
    field("conformity_level", "string", Missing("the code says it")),
    field("device_id_code", "count", Field("device_id_code")),
    // ICSNPP writes a line for each object; one line a PDU holds the same in vectors.
    field("object_id_code", "vector[count]", Field("object_ids")),
    field("object_id", "string", Missing("the code says it")),
    field("object_value", "vector[string]", Field("object_values")),
];

fn is_request(values: &[Value<'_>]) -> bool {
    matches!(values.first(), Some(Value::Bool(true)))
}

/// The value where the record is a request.
fn of_request(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let (true, Some(value)) = (is_request(values), values.get(1)) {
        cell.value(*value);
    }
}

/// The partner's value where the record is a request, its own where it is an answer without one.
fn of_answer(values: &[Value<'_>], cell: &mut Cell<'_>) {
    if let Some(value) = values.get(if is_request(values) { 2 } else { 1 }) {
        cell.value(*value);
    }
}

fn matched(values: &[Value<'_>], cell: &mut Cell<'_>) {
    cell.bool(!matches!(values, [Value::Null]));
}

fn either_exception(values: &[Value<'_>], cell: &mut Cell<'_>) {
    let (own, pair) = values.split_at(values.len().min(1));
    exception(if matches!(own, [Value::Null, ..]) { pair } else { own }, cell);
}

fn request_response(values: &[Value<'_>], cell: &mut Cell<'_>) {
    cell.text(if is_request(values) { "REQUEST" } else { "RESPONSE" });
}

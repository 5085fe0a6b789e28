//! Text arguments of functions: each different value is looked at once, however many rows hold it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Applies `f` to the texts of an array: of a dictionary only to its values, whose results are then laid out by the keys.
pub(crate) fn over_text(array: &ArrayRef, f: impl Fn(&StringArray) -> ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = text(dictionary.values())?;
        return take(&f(&values), dictionary.keys(), None);
    }
    let text = text(array)?;
    Ok(f(&text))
}

/// An array as text.
pub(crate) fn text(array: &ArrayRef) -> Result<Arc<StringArray>, ArrowError> {
    let array = cast(array, &DataType::Utf8)?;
    Ok(Arc::new(array.as_string::<i32>().clone()))
}

//! JSON: told apart by its content, objects read one by one, so that a bundle of any size needs the memory of its indicators only.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{misp, stix};
use crate::load::Into_;

pub(crate) fn read(reader: &mut dyn BufRead, name: &str, to: &mut Into_<'_>) -> Result<(), String> {
    let mut marks = stix::Marks::default();
    let mut json = serde_json::Deserializer::from_reader(reader);
    let top = Top { to, marks: &mut marks, name };
    top.deserialize(&mut json).map_err(|e| format!("no JSON of a known kind: {e}"))?;
    json.end().map_err(|e| format!("more after its end: {e}"))?;
    if to.report.format.is_empty() {
        return Err("JSON, but neither STIX nor MISP".into());
    }
    Ok(())
}

struct Top<'a, 'b> {
    to: &'a mut Into_<'b>,
    marks: &'a mut stix::Marks,
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Top<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut single = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "objects" => {
                    self.to.report.format = "stix";
                    map.next_value_seed(Objects { to: self.to, marks: self.marks })?;
                }
                "Event" => {
                    self.to.report.format = "misp";
                    misp::event(&map.next_value::<Value>()?, self.to);
                }
                "response" => {
                    self.to.report.format = "misp";
                    misp::response(&map.next_value::<Value>()?, self.to);
                }
                "type"
                | "id"
                | "spec_version"
                | "pattern"
                | "pattern_type"
                | "valid_from"
                | "valid_until"
                | "name"
                | "description"
                | "confidence"
                | "labels"
                | "object_marking_refs"
                | "revoked"
                | "created_by_ref" => {
                    let value: Value = map.next_value()?;
                    single.insert(key, value);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if single.contains_key("pattern") {
            self.to.report.format = "stix";
            stix::object(&Value::Object(single), self.marks, self.to);
        } else if self.to.report.format.is_empty() && self.name == "manifest.json" {
            self.to.report.format = "misp";
            *self.to.report.context.entry("manifest of a MISP feed".into()).or_default() += 1;
        } else if self.to.report.format.is_empty() && single.get("type").and_then(Value::as_str) == Some("bundle") {
            self.to.report.format = "stix";
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            if let Some(event) = value.get("Event") {
                self.to.report.format = "misp";
                misp::event(event, self.to);
            } else if value.get("type").is_some() && value.get("id").is_some() {
                self.to.report.format = "stix";
                stix::object(&value, self.marks, self.to);
            }
        }
        Ok(())
    }
}

/// The objects of a bundle or an envelope.
struct Objects<'a, 'b> {
    to: &'a mut Into_<'b>,
    marks: &'a mut stix::Marks,
}

impl<'de> DeserializeSeed<'de> for Objects<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Objects<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects of STIX")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<Value>()? {
            stix::object(&value, self.marks, self.to);
        }
        Ok(())
    }

    /// STIX 2.0 has dictionaries of objects inside of observed data only; a bundle's are a list.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

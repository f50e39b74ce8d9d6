//! What a driver drives, as they register it: told to whoever is matched with them. It checks no papers.

use app::{Fields, wrong};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::Refusal;

use crate::content::{invalid, required};

const KINDS: [&str; 3] = ["motorcycle", "car", "van"];
/// The longest that any country paints on one, and its spaces.
const PLATE_CHARS_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vehicle {
    kind: String,
    plate: String,
}

impl Vehicle {
    /// `driver_info: {vehicle_type, vehicle_plate}`. Who the driver is their token says.
    pub(crate) fn of(fields: &Fields<'_>) -> Result<Vehicle, Refusal> {
        let raw = fields.raw("driver_info");
        let raw = raw.ok_or_else(|| invalid("driver_info is required: vehicle_type and vehicle_plate"))?;
        let inner = Fields::of_item("driver_info", "vehicle_type", raw)?;
        let kind = required(&inner, "vehicle_type")?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(wrong("vehicle_type", "motorcycle, car or van", &kind));
        }
        inner.short_text("vehicle_plate", PLATE_CHARS_MAX)?;
        let written = required(&inner, "vehicle_plate")?;
        let plate = written.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
        match plate.chars().count() {
            0 => Err(invalid("vehicle_plate is required")),
            // Some letters are two in capitals.
            chars if chars > PLATE_CHARS_MAX => {
                let must = format!("at most {PLATE_CHARS_MAX} characters in capitals");
                Err(wrong("vehicle_plate", &must, &chars.to_string()))
            }
            _ => Ok(Vehicle { kind, plate }),
        }
    }

    pub(crate) fn told(&self) -> Value {
        json!({"vehicle_type": self.kind, "vehicle_plate": self.plate})
    }
}

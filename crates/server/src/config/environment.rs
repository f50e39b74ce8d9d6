//! Variables of the environment: `KULKUL_LIMITS__BURST` for `limits.burst`, and the few second names that rows have. Reads the
//! list it is given and nothing else.

use super::fault::{Faults, Place};
use super::inherited;
use super::kind::without_password;
use super::nearest;
use super::schema::{self, Row};
use super::settings::Settings;

const PREFIX: &str = "KULKUL_";

/// Read by the tests of this project, and no setting.
const NOT_OURS: [&str; 1] = ["KULKUL_BLESS"];

/// Second names first, so that `KULKUL_…` covers them.
pub(super) fn read(variables: &[(String, String)], settings: &mut Settings, faults: &mut Faults) {
    for (name, text) in variables {
        if let Some(row) = schema::rows().find(|row| row.variable == Some(name)) {
            set(row, name, text, settings, faults);
        } else if let Some(read) = inherited::converted(name, text) {
            let (row, read) = read;
            settings.top.set(row, Place::Variable(name.to_owned()), &format!("{text:?}"), read, faults);
        }
    }
    for (name, text) in variables.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if let Some(row) = schema::rows().find(|row| row.variable_name() == *name) {
            set(row, name, text, settings, faults);
        } else if !is_known(name, text) {
            unknown(name, faults);
        }
    }
}

fn set(row: &'static Row, name: &str, text: &str, settings: &mut Settings, faults: &mut Faults) {
    let written = format!("{:?}", without_password(text));
    settings.top.set(row, Place::Variable(name.to_owned()), &written, row.kind.read_text(text), faults);
}

fn is_known(name: &str, text: &str) -> bool {
    let second = schema::rows().any(|row| row.variable == Some(name));
    second || NOT_OURS.contains(&name) || is_of_kubernetes(name, text)
}

/// A cluster tells every container about every service, in variables that begin with the service's name.
fn is_of_kubernetes(name: &str, text: &str) -> bool {
    let rest = &name[PREFIX.len() - 1..];
    let links = text.starts_with("tcp://") || text.starts_with("udp://");
    let of_port =
        rest.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    rest.contains("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || of_port
        || (rest.ends_with("_PORT") && links)
}

fn unknown(name: &str, faults: &mut Faults) {
    let place = Place::Variable(name.escape_debug().to_string());
    let group = schema::groups().find(|group| {
        let prefix = group.key.replace('.', "__").to_uppercase();
        name[PREFIX.len()..].starts_with(&prefix)
    });
    if let Some(group) = group {
        return faults.add(&place, format!("[[{}]] is written in a file only", group.key));
    }
    let names: Vec<String> = schema::rows().map(Row::variable_name).collect();
    let meant = nearest::variable(name, names.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    faults.add(&place, format!("unknown variable{meant}"));
}

//! docs/configuration.md, as far as it is made from the schema.

use super::kind::Kind;
use super::schema::{self, Fallback, Row, Standing};

const BEGIN: &str = "<!-- from the schema; KULKUL_BLESS=1 cargo test -p kulkul writes it anew -->\n";
const END: &str = "<!-- end -->";

fn path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md")
}

fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let mut table =
        String::from("| key | value | default | again | what it does |\n| --- | --- | --- | --- | --- |\n");
    for row in rows {
        let default = match row.default {
            Fallback::Text("") => "none".to_owned(),
            Fallback::Text(text) => format!("`{}`", as_written(row, text)),
            Fallback::Without(otherwise) => otherwise.to_owned(),
            Fallback::Required => "required".to_owned(),
        };
        let again = if row.reloads { "yes" } else { "" };
        let also = row.variable.map(|name| format!(" Also {name}.")).unwrap_or_default();
        let standing = match row.standing {
            Standing::InForce => String::new(),
            Standing::Idle(why) => format!(" *Accepted, without effect: {why}.*"),
        };
        let expected = row.kind.expected().replace('|', "\\|");
        table +=
            &format!("| `{}` | {expected} | {default} | {again} | {}{also}{standing} |\n", row.key, row.help);
    }
    table
}

/// As a file has it, not a variable.
fn as_written(row: &Row, text: &str) -> String {
    match row.kind {
        Kind::Count { .. } | Kind::Bytes { .. } | Kind::Switch => text.to_owned(),
        Kind::Texts(_) | Kind::Choices(_) | Kind::Networks => {
            let items: Vec<String> = text.split(',').map(|item| format!("{item:?}")).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Span { .. } | Kind::Text(_) | Kind::Choice(_) | Kind::Address | Kind::Path => {
            format!("{text:?}")
        }
        Kind::File | Kind::Memory => format!("{text:?}"),
    }
}

fn tables() -> String {
    let section = |row: &&Row| row.key.split_once('.').map(|(section, _)| section);
    let mut sections: Vec<Option<&str>> = Vec::new();
    for row in schema::rows() {
        if !sections.contains(&section(&row)) {
            sections.push(section(&row));
        }
    }
    let mut text = String::new();
    for name in sections {
        let title = name.map_or("At the top".to_owned(), |name| format!("`[{name}]`"));
        let rows = schema::rows().filter(|row| section(row) == name);
        text += &format!("\n### {title}\n\n{}", table(rows));
    }
    for group in schema::groups() {
        let again = if group.reloads { " Read again without a restart." } else { "" };
        text +=
            &format!("\n### `[[{}]]`\n\n{}{again}\n\n{}", group.key, group.help, table(group.rows.iter()));
    }
    text + "\n"
}

#[test]
fn the_page_lists_every_setting() {
    let page = std::fs::read_to_string(path()).expect("docs/configuration.md is there");
    let (before, rest) = page.split_once(BEGIN).expect("the tables have a place");
    let (written, after) = rest.split_once(END).expect("the tables have an end");
    if written == tables() {
        return;
    }
    let blessing = std::env::var_os("KULKUL_BLESS").is_some_and(|value| value == "1");
    assert!(blessing, "docs/configuration.md is stale: KULKUL_BLESS=1 cargo test -p kulkul writes it anew");
    std::fs::write(path(), format!("{before}{BEGIN}{}{END}{after}", tables())).expect("writable");
}

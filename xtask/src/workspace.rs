//! The crates and what each needs, as `cargo metadata` tells it. Reads; never judges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// By cargo's own id.
    pub(crate) packages: BTreeMap<String, Package>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder inside the workspace; a foreign crate has none.
    pub(crate) home: Option<String>,
    /// Runs in the compiler, and is not linked into what needs it.
    pub(crate) proc_macro: bool,
    /// Ids of what it needs to be built and to run; not what its tests need.
    pub(crate) needs: Vec<String>,
    /// Kind and name.
    pub(crate) targets: Vec<(String, String)>,
}

impl Workspace {
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let output = Command::new(crate::steps::cargo())
            .args(["metadata", "--format-version", "1"])
            .current_dir(root)
            .output()
            .map_err(|error| format!("cargo metadata did not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
        Ok(Self::from_metadata(&metadata, root))
    }

    fn from_metadata(metadata: &Value, root: &Path) -> Self {
        let members = texts(&metadata["workspace_members"]);
        let mut packages = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let id = text(&package["id"]);
            let home = members.contains(&id).then(|| home_of(&text(&package["manifest_path"]), root));
            let kinds = |target: &Value| texts(&target["kind"]);
            let targets = list(&package["targets"]);
            packages.insert(
                id,
                Package {
                    name: text(&package["name"]),
                    home,
                    proc_macro: targets.iter().any(|target| kinds(target).contains(&"proc-macro".to_owned())),
                    needs: Vec::new(),
                    targets: targets
                        .iter()
                        .flat_map(|target| {
                            kinds(target).into_iter().map(|kind| (kind, text(&target["name"])))
                        })
                        .collect(),
                },
            );
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let needs = list(&node["deps"])
                .iter()
                .filter(|dep| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev"))
                .map(|dep| text(&dep["pkg"]))
                .collect();
            if let Some(package) = packages.get_mut(&text(&node["id"])) {
                package.needs = needs;
            }
        }
        Self { packages }
    }

    /// Our own crates, by folder.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.packages.values().filter_map(|package| Some((package.home.as_deref()?, package)))
    }

    /// The targets of one kind in one of our crates.
    pub(crate) fn targets(&self, package: &str, kind: &str) -> Vec<&str> {
        let crates = self.ours().filter(|(_, found)| found.name == package);
        let targets = crates.flat_map(|(_, found)| &found.targets);
        targets.filter(|(of, _)| of == kind).map(|(_, name)| name.as_str()).collect()
    }
}

/// Where cargo puts what it builds, and chores what they keep.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf, String> {
    let mut command = Command::new(crate::steps::cargo());
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root);
    let output = command.output().map_err(|error| format!("cargo metadata did not start: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo has no target folder".to_owned())
}

fn home_of(manifest: &str, root: &Path) -> String {
    let folder = Path::new(manifest).parent().map(PathBuf::from).unwrap_or_default();
    folder.strip_prefix(root).unwrap_or(&folder).display().to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_folders_and_needs_without_those_of_tests() {
        let metadata = serde_json::json!({
            "workspace_members": ["rooms-id"],
            "packages": [
                { "id": "rooms-id", "name": "kulkul-rooms", "manifest_path": "/w/crates/rooms/Cargo.toml",
                  "targets": [{ "kind": ["lib"], "name": "kulkul_rooms" }, { "kind": ["test"], "name": "pages" }] },
                { "id": "derive-id", "name": "serde_derive", "manifest_path": "/elsewhere/Cargo.toml",
                  "targets": [{ "kind": ["proc-macro"], "name": "serde_derive" }] },
            ],
            "resolve": { "nodes": [{ "id": "rooms-id", "deps": [
                { "pkg": "derive-id", "dep_kinds": [{ "kind": null }, { "kind": "dev" }] },
                { "pkg": "proptest-id", "dep_kinds": [{ "kind": "dev" }] },
                { "pkg": "cc-id", "dep_kinds": [{ "kind": "build" }] },
            ] }] },
        });
        let workspace = Workspace::from_metadata(&metadata, Path::new("/w"));
        let rooms = &workspace.packages["rooms-id"];
        assert_eq!(rooms.home.as_deref(), Some("crates/rooms"));
        assert_eq!(rooms.needs, ["derive-id", "cc-id"]);
        assert!(workspace.packages["derive-id"].proc_macro);
        assert!(workspace.packages["derive-id"].home.is_none());
        assert_eq!(workspace.targets("kulkul-rooms", "test"), ["pages"]);
        assert!(workspace.targets("kulkul-rooms", "bin").is_empty());
        assert!(workspace.targets("serde_derive", "proc-macro").is_empty(), "not ours");
    }
}

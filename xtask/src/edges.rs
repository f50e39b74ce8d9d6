//! The arrows between our crates, and what the pure ones link. It judges the graph and never looks at code.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::policy::{self, stands_for};
use crate::workspace::{Package, Workspace};

pub(crate) fn findings(workspace: &Workspace) -> Vec<Finding> {
    let mut found = Vec::new();
    for (home, package) in workspace.ours() {
        arrows(workspace, home, package, &mut found);
        if let Some((_, most)) = policy::PURE.iter().find(|(pure, _)| stands_for(pure, home)) {
            tree(workspace, home, package, *most, &mut found);
        }
    }
    found
}

fn arrows(workspace: &Workspace, home: &str, package: &Package, found: &mut Vec<Finding>) {
    let manifest = format!("{home}/Cargo.toml");
    let Some(edge) = policy::EDGES.iter().find(|edge| stands_for(edge.of, home)) else {
        found.push(Finding::fails(
            "edge",
            &manifest,
            0,
            "no row in EDGES of xtask/src/policy.rs: who may it need?",
        ));
        return;
    };
    let needed = package.needs.iter().filter_map(|id| workspace.packages.get(id)?.home.as_deref());
    for needed in needed {
        if !edge.may.iter().any(|may| stands_for(may, needed)) {
            let says = format!("{home} may not need {needed}: {}", edge.because);
            found.push(Finding::fails("edge", &manifest, 0, says));
        }
        let guarded = policy::GUARDED.iter().find(|guarded| stands_for(guarded.of, needed));
        if let Some(guarded) = guarded.filter(|guarded| !guarded.may.iter().any(|may| stands_for(may, home)))
        {
            let says = format!("{needed} may not be needed by {home}: {}", guarded.because);
            found.push(Finding::fails("edge", &manifest, 0, says));
        }
    }
}

/// Every foreign crate that is linked into a pure one, with the way by which it came.
fn tree(workspace: &Workspace, home: &str, package: &Package, most: usize, found: &mut Vec<Finding>) {
    let manifest = format!("{home}/Cargo.toml");
    let mut linked: BTreeMap<&str, String> = BTreeMap::new();
    let mut seen = Vec::new();
    let mut open: Vec<(&Package, String)> = vec![(package, package.name.clone())];
    while let Some((package, way)) = open.pop() {
        for id in &package.needs {
            let Some(next) =
                workspace.packages.get(id).filter(|next| !next.proc_macro && !seen.contains(&id))
            else {
                continue;
            };
            seen.push(id);
            let way = format!("{way} > {}", next.name);
            if next.home.is_none() {
                linked.insert(&next.name, way.clone());
            }
            open.push((next, way));
        }
    }
    for (name, way) in &linked {
        let never = policy::PURE_NEVER_LINKS.iter().find(|(never, _)| stands_for(never, name));
        let says = match never {
            Some((_, because)) => format!("{home} is pure and links {name} ({way}): {because}"),
            None if policy::PURE_MAY_LINK.iter().any(|(may, _)| may == name) => continue,
            None => format!("{home} is pure and links {name} ({way}), which no row of PURE_MAY_LINK allows"),
        };
        found.push(Finding::fails("tree", &manifest, 0, says));
    }
    if linked.len() > most {
        let says = format!(
            "{home} links {} foreign crates; {most} is the most (PURE in xtask/src/policy.rs)",
            linked.len()
        );
        found.push(Finding::fails("tree", &manifest, 0, says));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `name -> needs`; a name with a slash, or `sim` and the like, is one of ours.
    fn workspace(rows: &[(&str, &[&str])]) -> Workspace {
        let mut packages = BTreeMap::new();
        let names = rows.iter().flat_map(|(of, needs)| std::iter::once(of).chain(*needs));
        for name in names {
            let ours = name.contains('/') || ["sim", "bench", "xtask"].contains(name);
            let package = Package {
                name: (*name).to_owned(),
                home: ours.then(|| (*name).to_owned()),
                proc_macro: name.ends_with("_derive"),
                needs: rows
                    .iter()
                    .filter(|(of, _)| of == name)
                    .flat_map(|(_, n)| n.iter().map(|n| (*n).to_owned()))
                    .collect(),
                targets: Vec::new(),
            };
            packages.insert((*name).to_owned(), package);
        }
        Workspace { packages }
    }

    fn rules(rows: &[(&str, &[&str])]) -> Vec<&'static str> {
        findings(&workspace(rows)).iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn arrows_go_one_way() {
        type Row = (&'static str, &'static str, usize);
        let rows: &[Row] = &[
            ("crates/protocol", "crates/vocabulary", 0),
            ("crates/protocol", "crates/session", 1),
            ("crates/protocol", "crates/rooms", 1),
            ("crates/websocket", "crates/vocabulary", 1),
            ("crates/vocabulary", "crates/websocket", 1),
            ("crates/rooms", "crates/engine", 0),
            ("crates/engine", "crates/rooms", 1),
            ("crates/shard", "crates/rooms", 0),
            ("crates/shard", "apps/chat", 1),
            ("apps/chat", "crates/app", 0),
            ("apps/chat", "crates/rooms", 1),
            ("apps/chat", "apps/support", 1),
            ("engines/disk", "crates/engine", 0),
            ("engines/disk", "crates/rooms", 1),
            ("crates/node", "crates/shard", 0),
            ("crates/node", "apps/chat", 1),
            ("sim", "apps/chat", 0),
            ("sim", "crates/node", 1),
            ("bench", "crates/websocket", 0),
            ("bench", "crates/protocol", 1),
            ("crates/server", "apps/chat", 0),
            ("crates/server", "bench", 0),
            ("crates/server", "sim", 1),
            ("crates/server", "xtask", 1),
            ("sim", "bench", 2),
            ("crates/node", "crates/server", 2),
            ("crates/brand-new", "crates/vocabulary", 1),
        ];
        for (of, needs, failing) in rows {
            let found = rules(&[(*of, &[*needs])]);
            assert_eq!(found, vec!["edge"; *failing], "{of} needs {needs}");
        }
    }

    #[test]
    fn the_pure_set_links_only_what_is_allowed_however_deep() {
        type Rows = &'static [(&'static str, &'static [&'static str])];
        let rows: &[(Rows, usize)] = &[
            (&[("crates/vocabulary", &["bytes"])], 0),
            (&[("crates/vocabulary", &["left-pad"])], 1),
            (&[("crates/websocket", &["httparse", "tokio-util"])], 1),
            (&[("crates/rooms", &["crates/app"]), ("crates/app", &["bytes"]), ("bytes", &["libc"])], 2),
            (&[("apps/chat", &["serde_derive"]), ("serde_derive", &["syn", "libc"])], 0),
            (&[("crates/session", &["bytes", "serde", "serde_core", "itoa"])], 1),
            (&[("crates/node", &["tokio"])], 0),
        ];
        for (rows, failing) in rows {
            assert_eq!(rules(rows), vec!["tree"; *failing], "{rows:?}");
        }
    }

    #[test]
    fn a_refusal_shows_the_way_in_and_the_reason() {
        let found = findings(&workspace(&[("apps/chat", &["serde_json"]), ("serde_json", &["getrandom"])]));
        let says = &found[0].says;
        assert!(
            says.contains("apps/chat > serde_json > getrandom") && says.contains("randomness is an input"),
            "{says}"
        );
    }
}

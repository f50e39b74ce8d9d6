//! A real Kafka for the tests: its own artifacts, fetched once by Maven into the target folder, and started as one process without
//! a cluster. What it is told stands in `xtask/kafka`, where the tests that start their own read it, too.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const POM: &str = include_str!("../kafka/pom.xml");
const PROPERTIES: &str = include_str!("../kafka/server.properties");
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies";

/// What runs it, and what fetches it, by Debian's packages.
const NEEDS: [(&str, &str, &str); 2] =
    [("java", "--version", "openjdk-17-jre-headless"), ("mvn", "--version", "maven")];

/// Any will do: it names a cluster of one.
const CLUSTER: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

fn home(root: &Path) -> PathBuf {
    root.join("target/tools/kafka")
}

/// Packages that are missing on this machine.
pub(crate) fn missing() -> Vec<&'static str> {
    let lacks =
        |(command, version, _): &&(&str, &str, &str)| super::services::answer(command, version).is_none();
    NEEDS.iter().filter(lacks).map(|(_, _, package)| *package).collect()
}

/// There, if need be after Maven fetched it.
pub(crate) fn installed(root: &Path) -> Result<String, String> {
    let home = home(root);
    let (pom, libs) = (home.join("pom.xml"), home.join("libs"));
    let version = POM.split_once("<version>1</version>").and_then(|(_, rest)| rest.split_once("<version>"));
    let version = version.and_then(|(_, rest)| rest.split_once('<')).map_or("?", |(version, _)| version);
    let jar = libs.join(format!("kafka_2.13-{version}.jar"));
    if !jar.exists() || fs::read_to_string(&pom).is_ok_and(|kept| kept != POM) {
        println!("fetching Kafka {version}, once");
        let failed = |error: std::io::Error| format!("{}: {error}", home.display());
        if libs.exists() {
            fs::remove_dir_all(&libs).map_err(failed)?;
        }
        fs::create_dir_all(&home).map_err(failed)?;
        fs::write(&pom, POM).map_err(failed)?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(&pom).args([PLUGIN, "-DincludeScope=runtime"]);
        maven.arg(format!("-DoutputDirectory={}", libs.display())).stdin(Stdio::null());
        let status = maven.status().map_err(|error| format!("mvn: {error}"))?;
        if !status.success() || !jar.exists() {
            return Err(format!("mvn {PLUGIN} of {}: {status}", pom.display()));
        }
    }
    Ok(format!("Kafka: {version} in {} (for bridges/kafka, crates/server)", home.display()))
}

/// How it is started on a port and in a folder, whose metadata are made here.
pub(crate) fn arguments(root: &Path, port: &str, folder: &Path) -> Result<Vec<String>, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let controller = listener.local_addr().map_err(|error| error.to_string())?.port();
    drop(listener);
    let properties = PROPERTIES
        .replace("{port}", port)
        .replace("{controller}", &controller.to_string())
        .replace("{folder}", &folder.to_string_lossy());
    let file = folder.join("server.properties");
    fs::write(&file, properties).map_err(|error| format!("{}: {error}", file.display()))?;
    let java = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"].map(str::to_owned);
    let libs = format!("{}/libs/*", home(root).display());
    let java: Vec<String> = java.into_iter().chain([libs]).collect();
    let mut format = Command::new("java");
    format.args(&java).args(["kafka.tools.StorageTool", "format", "-g", "-t", CLUSTER, "-c"]).arg(&file);
    let output = format.stdin(Stdio::null()).output().map_err(|error| format!("java: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let file = file.to_string_lossy().into_owned();
    Ok(java.into_iter().chain(["kafka.Kafka".to_owned(), file]).collect())
}

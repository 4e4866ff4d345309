//! The Dockerfile: whether it copies what is there, builds what there is, and says of the program what the program does.

use std::{collections::BTreeSet, path::Path};

use cargo_metadata::MetadataCommand;

use super::{SERVICES, read};

/// What is wrong with it.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn findings(root: &Path) -> Result<Vec<String>, String> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec();
    let metadata = metadata.map_err(|error| error.to_string())?;
    let programs: BTreeSet<String> = metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin() && target.name.starts_with("sealpost"))
        .map(|target| target.name.clone())
        .collect();
    let toolchain = read(&root.join("rust-toolchain.toml"))?;
    let context = Context {
        ignored: read(&root.join("deploy/Dockerfile.dockerignore"))?,
        programs: &programs,
        toolchain: &toolchain,
        exists: &|path| root.join(path).exists(),
    };
    let mut findings = check(&read(&root.join("deploy/Dockerfile"))?, &context);
    let bake = read(&root.join("deploy/docker-bake.hcl"))?;
    let all = SERVICES.map(|service| format!("\"sealpost-{service}\""));
    findings.extend(
        all.iter().filter(|name| !bake.contains(*name)).map(|name| format!("docker-bake.hcl: no {name}")),
    );
    Ok(findings)
}

/// What a Dockerfile is built from.
struct Context<'a> {
    /// The `.dockerignore`.
    ignored: String,
    programs: &'a BTreeSet<String>,
    toolchain: &'a str,
    exists: &'a dyn Fn(&str) -> bool,
}

fn check(dockerfile: &str, context: &Context<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    let joined = dockerfile.replace("\\\n", " ");
    let lines = || joined.lines().map(str::trim);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let stages: BTreeSet<String> = lines()
        .filter(|line| line.starts_with("FROM "))
        .filter_map(|line| line.split(" AS ").nth(1).map(str::to_owned))
        .collect();
    for line in lines().filter(|line| line.starts_with("COPY ")) {
        let words = words(line);
        if let Some(stage) = words.iter().find_map(|word| word.strip_prefix("--from=")) {
            if !stages.contains(stage) {
                findings.push(format!("Dockerfile: copies from {stage}, which is no stage"));
            }
            continue;
        }
        for source in words.get(1..words.len() - 1).unwrap_or_default() {
            if !(context.exists)(source) {
                findings.push(format!("Dockerfile: copies {source}, which is not there"));
            } else if !context.ignored.lines().any(|kept| kept == format!("!{source}")) {
                findings
                    .push(format!("Dockerfile: copies {source}, which Dockerfile.dockerignore leaves out"));
            }
        }
    }
    let built: BTreeSet<String> = lines()
        .filter(|line| line.contains("cargo build"))
        .flat_map(words)
        .filter(|word| word.starts_with("sealpost"))
        .collect();
    for difference in built.symmetric_difference(context.programs) {
        findings.push(format!("Dockerfile: {difference} is built or exists, not both"));
    }
    let rust = lines().find_map(|line| line.strip_prefix("ARG RUST=")).unwrap_or_default();
    if !context.toolchain.contains(&format!("\"{rust}\"")) {
        findings.push(format!("Dockerfile: builds with Rust {rust}, rust-toolchain.toml names another"));
    }
    let user = lines().filter_map(|line| line.strip_prefix("USER ")).next_back().unwrap_or("root");
    if user.split(':').any(|id| id.parse::<u32>().ok().is_none_or(|id| id == 0)) {
        findings.push(format!("Dockerfile: runs as {user}, which Kubernetes cannot tell from root"));
    }
    let health = lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap_or_default();
    if !health.contains("GET /health/ready ") {
        findings.push("Dockerfile: its health is not asked at /health/ready".to_owned());
    }
    for (listener, port) in [("HTTP", "8080"), ("INTERNAL", "9090")] {
        let exposed =
            lines().any(|line| line.starts_with("EXPOSE ") && line.split(' ').any(|word| word == port));
        let listens = joined.contains(&format!("SEALPOST__{listener}__LISTEN=0.0.0.0:{port}"));
        if !exposed || !listens {
            findings.push(format!("Dockerfile: {listener} is not at {port} throughout"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(from: &str, to: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let programs =
            SERVICES.iter().map(|name| format!("sealpost-{name}")).chain(["sealpost".to_owned()]).collect();
        let context = Context {
            ignored: read(&root.join("deploy/Dockerfile.dockerignore")).unwrap(),
            programs: &programs,
            toolchain: "channel = \"1.95.0\"",
            exists: &|path| root.join(path).exists(),
        };
        let dockerfile = read(&root.join("deploy/Dockerfile")).unwrap();
        assert!(dockerfile.contains(from), "{from}");
        check(&dockerfile.replacen(from, to, 1), &context)
    }

    #[test]
    fn what_a_dockerfile_gets_wrong_is_found() {
        assert_eq!(broken("ARG", "ARG"), Vec::<String>::new());
        for (from, to, finding) in [
            ("COPY crates crates", "COPY crate crates", "copies crate, which is not there"),
            ("COPY LICENSE", "COPY README.md", "copies README.md, which Dockerfile.dockerignore leaves out"),
            ("--from=recipe", "--from=recipes", "copies from recipes"),
            ("--bin sealpost-sync", "--bin sealpost-snyc", "sealpost-snyc is built or exists"),
            ("USER 65532:65532", "USER 0:0", "runs as 0:0"),
            ("GET /health/ready ", "GET /health ", "/health/ready"),
            ("RUST=1.95.0", "RUST=1.80.0", "Rust 1.80.0"),
            ("EXPOSE 8080 9090", "EXPOSE 8080", "INTERNAL is not at 9090"),
        ] {
            let findings = broken(from, to);

            assert!(findings.iter().any(|found| found.contains(finding)), "{finding}: {findings:?}");
        }
    }
}

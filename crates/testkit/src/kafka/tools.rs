//! The tools of Apache Kafka that operators have, as scripts of the same names.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::Kafka;
use crate::process::InfraError;

const TOOLS: [(&str, &str); 3] = [
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-configs.sh", "kafka.admin.ConfigCommand"),
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
];

impl Kafka {
    /// The folder of `kafka-topics.sh`, `kafka-configs.sh` and `kafka-acls.sh`.
    ///
    /// # Errors
    /// [`InfraError::Io`] when they cannot be written.
    pub fn tools(&self) -> Result<PathBuf, InfraError> {
        let folder = self.data.path().join("bin");
        let write = || {
            fs::create_dir_all(&folder)?;
            for (name, class) in TOOLS {
                let java = "java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1";
                let quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
                let class_path = self.class_path();
                let text =
                    format!("#!/bin/sh\nexec {java} {quiet} -cp '{}' {class} \"$@\"\n", class_path.display());
                fs::write(folder.join(name), text)?;
                fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        };
        write().map_err(|error| InfraError::Io("tools of Kafka", error))?;
        Ok(folder)
    }
}

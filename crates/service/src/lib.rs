//! What the program of every service shares: settings, platform, command line, guard tasks.

//! Where the captures outside the tree are.

use std::path::{Path, PathBuf};

/// The folder of captures: `$GRIDWARDEN_SHARED/corpus`, or `shared/corpus` beside one of the folders above the workspace.
///
/// None where there is none; the test then prints a line beginning `not checked:`.
pub fn corpus() -> Option<PathBuf> {
    if let Some(shared) = std::env::var_os("GRIDWARDEN_SHARED") {
        return Some(PathBuf::from(shared).join("corpus")).filter(|p| p.is_dir());
    }
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|folder| folder.join("shared/corpus")).find(|p| p.is_dir())
}

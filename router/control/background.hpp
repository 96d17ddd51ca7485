#pragma once

namespace router {

/// Lets every other thread of the process go first on a busy machine, where the system can: for a
/// thread that loads rings beside workers at full load.
void run_in_background();

}  // namespace router

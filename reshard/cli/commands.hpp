#pragma once

namespace CLI {
class App;
}

namespace reshard::cli {

/// `ring backfill-vnodes`; its callback stores its exit code in `exit_code`.
void add_backfill_vnodes(CLI::App& ring, int& exit_code);

}  // namespace reshard::cli

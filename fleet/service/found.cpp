#include "fleet/service/found.hpp"

#include "fleet/protocol/text.hpp"

namespace fleet {

std::vector<coordination::Write> founding(const Paths& paths, const RingName& ring,
                                          const std::string& root) {
  State state;
  state.seq = 1;
  state.by = "founding";
  state.ring = ring;
  state.highest = ring.generation;
  const auto node = [](const std::string& path, const std::string& text) {
    return coordination::Create{path, text, false, false};
  };
  return {node(paths.root(), root),
          node(paths.state(), to_text(state)),
          node(paths.blocks(), to_text(Blocks{})),
          node(paths.roster(), ""),
          node(paths.answers(), ""),
          node(paths.lives(), ""),
          node(paths.images(), ""),
          node(paths.history(), "")};
}

}  // namespace fleet

#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "tests/fuzz/require.hpp"

// Whatever text is read as a configuration, in either form: it is taken or each problem has words.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  config::Parsed parsed = config::parse(text);
  for (const auto& problem : parsed.problems)
    require(!problem.message.empty(), "a problem has a message");
  require(config::to_text(parsed.problems).empty() == parsed.problems.empty(),
          "problems are shown where there are any");
  require(config::parse(text).config == parsed.config, "a text has one meaning");
  if (!parsed.problems.empty()) return 0;
  config::apply_overrides(parsed.config);
  std::vector<std::string> pnodes{"tcp://1.moray.lab:2020"};
  for (const auto& shard : parsed.config.shards) pnodes.push_back(shard.pnode);
  const auto resolved = config::resolve_shards(parsed.config, pnodes);
  require(!resolved.problems.empty() || resolved.shards.size() == pnodes.size(),
          "each pnode has its shard, or its problem");
  return 0;
}

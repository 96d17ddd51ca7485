// diff: which vnodes each pnode lost and gained. Data, counts and algorithms are not compared.
#include <algorithm>
#include <iostream>

#include "ring/digest.hpp"
#include "ring_tool/commands.hpp"
#include "ring_tool/failure.hpp"
#include "ring_tool/source.hpp"
#include "ring_tool/stored_ring.hpp"

namespace ring_tool {
namespace {

using Owned = std::vector<std::pair<std::string, std::vector<std::uint32_t>>>;

Owned owned_of(const Source& source, const Streams& streams) {
  if (source.backend == Backend::leveldb)
    return StoredRing(source.location, StoredRing::Access::read).owners();
  const MemoryRing ring = read_memory(source, streams);
  Owned owned;
  for (const std::string& pnode : ring.pnodes()) owned.emplace_back(pnode, ring.vnodes_of(pnode));
  return owned;
}

const std::vector<std::uint32_t>& vnodes_in(const Owned& owned, const std::string& pnode) {
  static const std::vector<std::uint32_t> kNone;
  for (const auto& [name, vnodes] : owned)
    if (name == pnode) return vnodes;
  return kNone;
}

std::string list(const char* name, const std::vector<std::uint32_t>& vnodes) {
  std::string text = "\"" + std::string(name) + "\":[";
  for (std::size_t i = 0; i < vnodes.size(); ++i)
    text += (i == 0 ? "" : ",") + std::to_string(vnodes[i]);
  return text + "]";
}

/// Both are ascending.
std::vector<std::uint32_t> missing(const std::vector<std::uint32_t>& from,
                                   const std::vector<std::uint32_t>& in) {
  std::vector<std::uint32_t> result;
  std::set_difference(from.begin(), from.end(), in.begin(), in.end(), std::back_inserter(result));
  return result;
}

Backend backend_named(const std::string& name) {
  if (name == "leveldb") return Backend::leveldb;
  if (name == "memory") return Backend::memory;
  throw Failure(
      R"(one of {"LEVEL_DB":"leveldb","IN_MEMORY":"memory"} must be specified if not passing topology via stdin)");
}

}  // namespace

void diff(const Options& options, const Streams& streams) {
  const auto& files = options.arguments();
  if (files[0] == "-" && files[1] == "-") throw WrongUse("only one of the two can be stdin");
  const std::vector<std::string> backends = options.all("backend");
  const auto source = [&](std::size_t i) {
    if (files[i] == "-") return Source{Backend::memory, ""};
    return Source{backends.empty() ? Backend::memory
                                   : backend_named(backends[std::min(i, backends.size() - 1)]),
                  files[i]};
  };
  const Source first = source(0), second = source(1);
  const Owned before = owned_of(first, streams), after = owned_of(second, streams);
  std::vector<std::string> pnodes;
  for (const Owned* owned : {&before, &after})
    for (const auto& [name, vnodes] : *owned)
      if (std::find(pnodes.begin(), pnodes.end(), name) == pnodes.end()) pnodes.push_back(name);
  std::string text;
  for (const std::string& pnode : pnodes) {
    const auto removed = missing(vnodes_in(before, pnode), vnodes_in(after, pnode));
    const auto added = missing(vnodes_in(after, pnode), vnodes_in(before, pnode));
    if (removed.empty() && added.empty()) continue;
    text += (text.empty() ? "{" : ",") + ring::json_string(pnode) + ":{" +
            (removed.empty() ? "" : list("removed", removed)) +
            (removed.empty() || added.empty() ? "" : ",") +
            (added.empty() ? "" : list("added", added)) + "}";
  }
  if (!text.empty()) streams.out << text << "}\n";
}

}  // namespace ring_tool

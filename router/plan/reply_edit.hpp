#pragma once

#include <optional>
#include <string_view>

#include "json/document.hpp"
#include "ring/ring.hpp"
#include "router/plan/edits.hpp"
#include "router/plan/methods.hpp"
#include "router/plan/snapshot.hpp"

namespace router {

/// The shape of a shard's DATA or END payload, checked.
struct ReplyValues {
  std::size_t count = 0;  ///< elements of `d`, nulls left out
};

/// Where the values of a reply came from, for `_node`.
struct ReplyOrigin {
  const Snapshot* snapshot = nullptr;
  std::optional<ring::Vnode> vnode;
  ring::PnodeIndex pnode{};
};

/// Checks a DATA or END payload of a shard (parsed by `document`) and notes in `edits` what must
/// change on the way to the client. nullopt: an END or DATA must be an object with an array `d`.
/// Pure; O(payload).
std::optional<ReplyValues> edit_reply(const Method& method, std::string_view payload,
                                      json::Value root, const ReplyOrigin& origin, Edits& edits);

/// Whether a payload is, byte for byte, what a moray sends in an END without values for that RPC;
/// then it needs neither a check nor an edit. False says nothing about it. Pure; O(payload).
bool is_plain_end(std::string_view payload, std::string_view rpc);

/// Whether an ERROR payload has the shape that clients survive: `d` an object with string `name`
/// and `message`.
bool valid_error(json::Value root);

/// The words of an error by which a plan of resharding refuses a write, whatever the shard calls
/// it: moray forwards no SQLSTATE (docs/resharding.md). nullopt: it is another error. Of a valid
/// one.
std::optional<std::string> fence_refusal(json::Value root);

}  // namespace router

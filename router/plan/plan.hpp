#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fast/error_payload.hpp"
#include "json/document.hpp"
#include "ring/ring.hpp"
#include "router/plan/edits.hpp"
#include "router/plan/gate.hpp"
#include "router/plan/methods.hpp"
#include "router/plan/snapshot.hpp"

namespace router {

/// The request is answered with an error.
struct Reject {
  fast::Error error;
  bool operator==(const Reject&) const = default;
};
/// The request goes to one shard.
struct ToShard {
  ring::PnodeIndex pnode{};
  std::optional<ring::Vnode> vnode;
  bool operator==(const ToShard&) const = default;
};
/// The request goes to any healthy shard.
struct ToAny {
  bool operator==(const ToAny&) const = default;
};
/// The request goes to every shard and the answers are joined.
struct ToAll {
  bool operator==(const ToAll&) const = default;
};
/// The router answers; `value` is a JSON text, or empty for an END alone.
struct AnswerHere {
  std::string value;
  bool operator==(const AnswerHere&) const = default;
};

/// `Hold`: the request waits whole and is planned again when the gate changes.
using Decision = std::variant<Reject, ToShard, ToAny, ToAll, AnswerHere, Hold>;

/// What a verdict makes of a request; nullopt: it passes.
std::optional<Decision> stopped(Verdict verdict);

/// Memory that planning uses anew for each request; nothing in it is a result. Lives on one worker.
struct PlanScratch {
  std::vector<json::Value> arguments;
  std::string bucket, key, other, first_key;
};

/// What becomes of a request.
struct Planned {
  Decision decision;
  Edits edits;  ///< ToShard: what to change in its payload on the way to the shard; else none
  /// options.timeout in ms; nullopt: absent, not a number, or the request is rejected.
  std::optional<double> timeout_ms;
};

/// Decides what becomes of one request: pure (no clock, socket or log), O(payload).
/// `d` is the payload's argument array and belongs to `payload`.
Planned plan(const Method& method, std::string_view payload, json::Value d,
             const Snapshot& snapshot, PlanScratch& scratch);

}  // namespace router

#include "router/plan/plan.hpp"

#include <charconv>

#include "ring/key_transform.hpp"
#include "router/plan/arguments.hpp"
#include "router/plan/errors.hpp"
#include "router/plan/gate.hpp"
#include "router/plan/json_edits.hpp"
#include "router/plan/plan_batch.hpp"

namespace router {
namespace {

using backends::Rpc;

Reject reject(fast::Error error) { return Reject{std::move(error)}; }

/// Where electric-moray found a client's options: an argument of that name.
json::Value options_argument(const Method& method, const PlanScratch& scratch) {
  return method.rpc == Rpc::get_bucket ? scratch.arguments.front() : scratch.arguments.back();
}

std::optional<json::Value> option(json::Value options, std::string_view name) {
  if (!options.is(json::Type::object)) return std::nullopt;
  return options.find(name);
}

/// A shard (moray 2.6.1) dies of a getObject without it, or with `false`.
void force_no_cache(std::string_view payload, json::Value options, Edits& edits) {
  std::size_t seen = 0;
  bool last_is_true = false;
  for (const json::Member member : options.members()) {
    if (!member.named("noCache")) continue;
    ++seen;
    last_is_true = member.value.is_true();
  }
  if (seen == 1 && last_is_true) return;
  append_member(edits, payload, options, "\"noCache\":true");
}

/// electric-moray's client gave `etag` the value of its old name `_etag` where there was none; a
/// moray's put heeds `etag` only.
void add_etag(std::string_view payload, json::Value options, Edits& edits) {
  const auto old_name = options.find("_etag");
  if (!old_name || options.find("etag")) return;
  std::string member = "\"etag\":";
  member += old_name->text();
  append_member(edits, payload, options, member);
}

bool heeds_etag(Rpc rpc) {
  return rpc == Rpc::put_object || rpc == Rpc::del_object || rpc == Rpc::batch;
}

/// electric-moray took an array for options without members; a moray refuses it.
void edit_options(const Method& method, std::string_view payload, json::Value options,
                  Edits& edits) {
  const bool reads_cache = method.rpc == Rpc::get_object || method.rpc == Rpc::find_objects;
  if (options.is(json::Type::array)) {
    edits.replace(begin_of(payload, options), end_of(payload, options),
                  reads_cache ? "{\"noCache\":true}" : "{}");
    return;
  }
  if (reads_cache) force_no_cache(payload, options, edits);
  if (heeds_etag(method.rpc)) add_etag(payload, options, edits);
  // node-moray repeats the whole value here and no moray reads it: half of the bytes of a put.
  if (method.rpc == Rpc::put_object) erase_members(edits, payload, options, "_value");
}

void append_vnode(Edits& edits, std::string_view payload, json::Value value, ring::Vnode vnode) {
  char text[32] = "\"vnode\":";
  const auto end = std::to_chars(text + 8, text + sizeof text, number(vnode)).ptr;
  append_member(edits, payload, value, {text, static_cast<std::size_t>(end - text)});
}

std::optional<ring::Location> locate(const Snapshot& snapshot, std::string_view bucket,
                                     std::string_view key) {
  return snapshot.ring->locate(ring::transform_key(bucket, key));
}

Decision plan_by_key(const Method& method, std::string_view payload, const Snapshot& snapshot,
                     PlanScratch& scratch, Edits& edits) {
  const std::string_view bucket = scratch.arguments[0].string(scratch.bucket);
  const std::string_view key = scratch.arguments[1].string(scratch.key);
  const auto location = locate(snapshot, bucket, key);
  if (!location) return reject(errors::plain("the key's hash lies beyond the ring's last vnode"));
  if (method.write)
    if (auto decision = stopped(judge_write(snapshot, *location))) return *std::move(decision);

  if (method.rpc == Rpc::put_object && scratch.arguments[2].is(json::Type::object) &&
      snapshot.routed(bucket))
    append_vnode(edits, payload, scratch.arguments[2], location->vnode);
  edit_options(method, payload, scratch.arguments.back(), edits);
  return ToShard{location->pnode, location->vnode};
}

/// `missing`: what to answer when neither a token nor a hashkey is there.
Decision plan_by_hashkey(const Method& method, std::string_view payload, const Snapshot& snapshot,
                         PlanScratch& scratch, Edits& edits) {
  const json::Value options = scratch.arguments.back();
  const auto token = option(options, "token");
  const auto hashkey = option(options, "hashkey");
  ToShard target;
  if (token && truthy(*token)) {
    const std::string name = text_of(*token);
    const auto pnode =
        token->is(json::Type::string) ? snapshot.ring->pnode_named(name) : std::nullopt;
    if (!pnode) return reject(errors::plain("Invalid Token " + name));
    target.pnode = *pnode;
  } else if (hashkey && truthy(*hashkey)) {
    if (!hashkey->is(json::Type::string))
      return reject(
          errors::invocation(std::string(method.name) + " expects \"options\" (args[" +
                             std::to_string(scratch.arguments.size() - 1) +
                             "]) to be a valid options object: options.hashkey should be string"));
    const auto location = snapshot.ring->locate(hashkey->string(scratch.key));
    if (!location) return reject(errors::plain("the key's hash lies beyond the ring's last vnode"));
    target.pnode = location->pnode;
  } else if (method.write) {
    return reject(errors::operation_not_supported());
  } else {
    return reject(errors::plain("Invalid search request, requires either token or hashkey"));
  }
  if (method.write)
    if (auto decision = stopped(judge_shard_write(snapshot, target.pnode)))
      return *std::move(decision);
  edit_options(method, payload, options, edits);
  return target;
}

Decision plan_all(const Method& method, const Snapshot& snapshot, const PlanScratch& scratch) {
  bool override_vnodes = false;
  if (method.rpc == Rpc::sql) {
    if (!snapshot.settings.sql) return reject(errors::operation_not_supported());
    const auto given = option(scratch.arguments.back(), "readOnlyOverride");
    if (given && !given->is(json::Type::boolean) && !given->is(json::Type::null))
      return reject(
          errors::invocation("sql expects \"options\" (args[2]) to be a valid options object: "
                             "options.readOnlyOverride should be boolean"));
    override_vnodes = given && given->is_true();
  }
  const bool any_data = method.rpc != Rpc::reindex_objects;
  if (auto decision = stopped(judge_fleet_write(snapshot, any_data, override_vnodes)))
    return *std::move(decision);
  return ToAll{};
}

/// What is notified through the router is notified on every shard: to hear it once, one listens on
/// one, always the same. `token` names another, for what a database notifies by itself.
Decision plan_listen(const Snapshot& snapshot, const PlanScratch& scratch) {
  const auto token = option(scratch.arguments.back(), "token");
  std::optional<ring::PnodeIndex> named;
  if (token && truthy(*token)) {
    const std::string name = text_of(*token);
    named = token->is(json::Type::string) ? snapshot.ring->pnode_named(name) : std::nullopt;
    if (!named) return reject(errors::plain("Invalid Token " + name));
  }
  for (std::size_t i = 0; i < snapshot.pnodes.size(); ++i) {
    const auto pnode = static_cast<ring::PnodeIndex>(i);
    if (snapshot.pnodes[i].listens && (!named || *named == pnode))
      return ToShard{pnode, std::nullopt};
  }
  return reject(errors::operation_not_supported());
}

/// A moray's own checks, since electric-moray has no ping (spec moray-rpc 3).
std::optional<std::string> check_ping(json::Value options) {
  if (!options.is(json::Type::object)) return "options should be object";
  const auto deep = options.find("deep"), id = options.find("req_id");
  if (id && !id->is(json::Type::string)) return "options.req_id should be string";
  if (deep && !deep->is(json::Type::boolean)) return "options.deep should be boolean";
  return std::nullopt;
}

Decision plan_here(const Method& method, const Snapshot& snapshot, const PlanScratch& scratch) {
  switch (method.rpc) {
    case Rpc::get_tokens: return AnswerHere{snapshot.tokens_json};
    case Rpc::version: return AnswerHere{"{\"version\":2}"};
    case Rpc::ping: {
      if (auto complaint = check_ping(scratch.arguments.front()))
        return reject(
            errors::invocation("ping expects \"options\" (args[0]) to be a valid options "
                               "object: " +
                               *complaint));
      const auto deep = option(scratch.arguments.front(), "deep");
      if (deep && deep->is_true()) return ToAll{};
      return AnswerHere{};
    }
    default: return plan_listen(snapshot, scratch);  // listen, unlisten
  }
}

/// The arguments are good.
Decision route(const Method& method, std::string_view payload, const Snapshot& snapshot,
               PlanScratch& scratch, Edits& edits) {
  switch (method.route) {
    case Route::by_key: return plan_by_key(method, payload, snapshot, scratch, edits);
    case Route::by_hashkey: return plan_by_hashkey(method, payload, snapshot, scratch, edits);
    case Route::any_shard: return ToAny{};
    case Route::all_shards: return plan_all(method, snapshot, scratch);
    case Route::here: return plan_here(method, snapshot, scratch);
    case Route::by_batch: {
      Decision decision = plan_batch(payload, scratch.arguments[0], snapshot, scratch, edits);
      if (std::holds_alternative<ToShard>(decision))
        edit_options(method, payload, scratch.arguments[1], edits);
      return decision;
    }
  }
  return reject(errors::operation_not_supported());
}

std::optional<double> timeout_of(json::Value options) {
  const auto timeout = option(options, "timeout");
  if (!timeout || !timeout->is(json::Type::number)) return std::nullopt;
  const std::string_view text = timeout->text();
  double number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

}  // namespace

std::optional<Decision> stopped(Verdict verdict) {
  if (auto* error = std::get_if<fast::Error>(&verdict)) return reject(std::move(*error));
  if (std::holds_alternative<Hold>(verdict)) return Hold{};
  return std::nullopt;
}

Planned plan(const Method& method, std::string_view payload, json::Value d,
             const Snapshot& snapshot, PlanScratch& scratch) {
  Planned planned;
  if (auto complaint = check_arguments(method, d, scratch.arguments)) {
    planned.decision = reject(std::move(*complaint));
    return planned;
  }
  planned.decision = route(method, payload, snapshot, scratch, planned.edits);
  if (!std::holds_alternative<Reject>(planned.decision))
    planned.timeout_ms = timeout_of(options_argument(method, scratch));
  return planned;
}

}  // namespace router

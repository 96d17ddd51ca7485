#include "router/plan/plan_batch.hpp"

#include <charconv>

#include "ring/key_transform.hpp"
#include "router/plan/errors.hpp"
#include "router/plan/gate.hpp"
#include "router/plan/json_edits.hpp"

namespace router {
namespace {

Reject rejected(fast::Error error) { return Reject{std::move(error)}; }

std::string element_name(std::size_t index) { return "requests[" + std::to_string(index) + "]"; }

fast::Error invalid_request(const std::string& what) {
  return errors::invocation(
      "batch expects \"requests\" (args[0]) to be an array of valid request objects: " + what);
}

std::optional<json::Value> member(json::Value request, std::string_view name) {
  if (!request.is(json::Type::object)) return std::nullopt;
  return request.find(name);
}

bool is_string(const std::optional<json::Value>& value) {
  return value && value->is(json::Type::string);
}

/// electric-moray's own checks of one request.
std::optional<fast::Error> check_request(json::Value request, std::size_t index,
                                         std::string& scratch) {
  if (request.is(json::Type::null))
    return invalid_request(element_name(index) + " should be object");
  const auto operation = member(request, "operation");
  if (operation && !operation->is(json::Type::null)) {
    const bool named = operation->is(json::Type::string);
    const std::string_view name = named ? operation->string(scratch) : std::string_view{};
    if (name != "put" && name != "delete")
      return errors::plain(std::string(operation->text()) + " is not an allowed batch operation");
  }
  if (!is_string(member(request, "key")))
    return errors::plain("all batch requests must have a \"key\"");
  if (!is_string(member(request, "bucket")))
    return errors::plain("all batch requests must have a \"bucket\"");
  return std::nullopt;
}

bool is_put(json::Value request, std::string& scratch) {
  const auto operation = member(request, "operation");
  return !operation || operation->is(json::Type::null) || operation->string(scratch) == "put";
}

/// What electric-moray did not check, and died of.
std::optional<fast::Error> check_shape(json::Value request, std::size_t index,
                                       std::string& scratch) {
  const auto options = member(request, "options");
  if (options && !options->is(json::Type::object))
    return invalid_request(element_name(index) + ".options should be object");
  if (!is_put(request, scratch)) return std::nullopt;
  const auto value = member(request, "value");
  if (!value)
    return invalid_request(element_name(index) + " should have required property 'value'");
  if (!value->is(json::Type::object))
    return invalid_request(element_name(index) + ".value should be object");
  return std::nullopt;
}

/// Both strings are unescaped into `bucket` and `key`; the result is a part of the text or of
/// those.
std::string_view transformed_key(json::Value request, std::string& bucket, std::string& key) {
  return ring::transform_key(request.find("bucket")->string(bucket),
                             request.find("key")->string(key));
}

}  // namespace

Decision plan_batch(std::string_view payload, json::Value requests, const Snapshot& snapshot,
                    PlanScratch& scratch, Edits& edits) {
  if (requests.empty())
    return rejected(errors::invocation(
        "batch expects \"requests\" (args[0]) to be an array with at least one request but "
        "received an empty array"));
  std::size_t index = 0;
  for (const json::Value request : requests.elements())
    if (auto error = check_request(request, index++, scratch.other)) return rejected(*error);

  bool first = true;
  for (const json::Value request : requests.elements()) {
    const std::string_view key = transformed_key(request, scratch.bucket, scratch.key);
    if (first) {
      scratch.first_key.assign(key);
      first = false;
    } else if (key != scratch.first_key) {
      return rejected(errors::plain("all requests must transform to the same key"));
    }
  }
  index = 0;
  for (const json::Value request : requests.elements())
    if (auto error = check_shape(request, index++, scratch.other)) return rejected(*error);

  const auto location = snapshot.ring->locate(scratch.first_key);
  if (!location) return rejected(errors::plain("the key's hash lies beyond the ring's last vnode"));
  if (auto decision = stopped(judge_write(snapshot, *location))) return *std::move(decision);

  char text[32] = "\"vnode\":";
  const auto end = std::to_chars(text + 8, text + sizeof text, number(location->vnode)).ptr;
  const std::string_view vnode(text, static_cast<std::size_t>(end - text));
  for (const json::Value request : requests.elements()) {
    if (!is_put(request, scratch.other)) continue;
    if (snapshot.routed(request.find("bucket")->string(scratch.other)))
      append_member(edits, payload, *request.find("value"), vnode);
    // A moray takes an absent operation for a put, but refuses null.
    if (const auto operation = request.find("operation");
        operation && operation->is(json::Type::null))
      edits.replace(begin_of(payload, *operation), end_of(payload, *operation), "\"put\"");
  }
  return ToShard{location->pnode, location->vnode};
}

}  // namespace router

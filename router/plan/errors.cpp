#include "router/plan/errors.hpp"

namespace router::errors {
namespace {

std::string json_quoted(std::string_view text) {
  std::string out;
  fast::append_json_string(out, text);
  return out;
}

fast::Error make(std::string name, std::string message, std::string info = "{}") {
  fast::Error error;
  error.name = std::move(name);
  error.message = std::move(message);
  error.info = std::move(info);
  return error;
}

std::string decode_message(const fast::DecodeFailure& failure) {
  switch (failure.error) {
    case fast::DecodeError::bad_version: return "unsupported version";
    case fast::DecodeError::bad_type: return "unsupported message type";
    case fast::DecodeError::bad_status: return "unsupported message status";
    case fast::DecodeError::bad_message_id: return "message id out of range";
    case fast::DecodeError::too_large:
      return "message of " + std::to_string(failure.payload_bytes) + " bytes is over the limit";
    case fast::DecodeError::bad_checksum:
      return "expected CRC " + std::to_string(failure.checksum_expected) + ", found " +
             std::to_string(failure.checksum_calculated);
  }
  return "malformed message";
}

std::string decode_info(const fast::DecodeFailure& failure) {
  if (failure.error == fast::DecodeError::too_large) return R"({"fastReason":"too_large"})";
  if (failure.error != fast::DecodeError::bad_checksum) return R"({"fastReason":"bad_header"})";
  return R"({"fastReason":"bad_crc","crcExpected":)" + std::to_string(failure.checksum_expected) +
         R"(,"crcCalculated":)" + std::to_string(failure.checksum_calculated) + "}";
}

void append_child(std::string& out, const ShardError& child) {
  std::string info = child.error.info;
  if (info.size() < 2 || info.front() != '{') info = "{}";
  const bool bare = info == "{}";
  info.insert(info.size() - 1,
              std::string(bare ? "" : ",") + "\"pnode\":" + json_quoted(child.pnode));

  const std::string message = json_quoted(child.error.message);
  out += "{\"name\":" + json_quoted(child.error.name) + ",\"jse_shortmsg\":" + message +
         ",\"jse_info\":" + info + ",\"message\":" + message +
         ",\"context\":" + child.error.context;
  if (!child.error.ase_errors.empty()) out += ",\"ase_errors\":" + child.error.ase_errors;
  out += '}';
}

}  // namespace

fast::Error unsupported_method(std::string_view name, std::uint32_t message_id) {
  const std::string text = json_quoted(name);
  return make("FastError", "unsupported RPC method: \"" + std::string(name) + "\"",
              "{\"fastReason\":\"bad_method\",\"rpcMethod\":" + text +
                  ",\"rpcMsgid\":" + std::to_string(message_id) + "}");
}

fast::Error not_well_formed(std::uint32_t message_id) {
  return make("FastError", "RPC request is not well-formed",
              "{\"fastReason\":\"bad_data\",\"rpcMsgid\":" + std::to_string(message_id) + "}");
}

fast::Error too_deep(std::uint32_t message_id) {
  return make("FastError", "RPC request is nested too deeply",
              "{\"fastReason\":\"bad_data\",\"rpcMsgid\":" + std::to_string(message_id) + "}");
}

fast::Error protocol(const fast::DecodeFailure& failure) {
  return make("FastProtocolError", "fast protocol: " + decode_message(failure),
              decode_info(failure));
}

fast::Error bad_payload(std::string_view reason) {
  return make("FastProtocolError", "fast protocol: " + std::string(reason),
              R"({"fastReason":"bad_data"})");
}

fast::Error invocation(std::string message) { return make("InvocationError", std::move(message)); }
fast::Error plain(std::string message) { return make("Error", std::move(message)); }
fast::Error operation_not_supported() { return plain("Operation not supported"); }

fast::Error read_only_vnodes() {
  return make("ReadOnlyError", "some vnodes are in read-only mode");
}

fast::Error read_only(std::string message) { return make("ReadOnlyError", std::move(message)); }

fast::Error read_only_pnodes(std::string_view names) {
  return make("ReadOnlyError", "pnode \"" + std::string(names) + "\" is in read-only mode");
}

fast::Error shutting_down() { return make("OverloadedError", "router is shutting down"); }
fast::Error overloaded(std::string message) { return make("OverloadedError", std::move(message)); }

fast::Error over_budget(std::size_t bytes_max) {
  return overloaded("the router holds as much as it may for its clients (limits.memoryBytes, " +
                    std::to_string(bytes_max) + ")");
}

fast::Error shard_over_budget(std::string_view pnode) {
  return overloaded("requests that pnode \"" + std::string(pnode) +
                    "\" has not answered hold as much memory as they may");
}

fast::Error turn_late(std::chrono::milliseconds waited) {
  return overloaded("its shard has more to do than it can: the request has waited " +
                    std::to_string(waited.count()) + " ms for its turn (timeouts.turnMs)");
}

fast::Error answer_dropped(std::size_t bytes) {
  return overloaded("an answer of " + std::to_string(bytes) +
                    " bytes was dropped: there is no room for it beside those that the client has "
                    "not taken");
}

fast::Error not_served() {
  return make("NoBackendsError",
              "no connections available: some vnodes are about to move, and it is not known where "
              "they are");
}

fast::Error from_failure(const backends::Failure& failure, bool stream) {
  using backends::FailureKind;
  switch (failure.kind) {
    case FailureKind::no_connections:
      if (stream) return make("Error", "no active connections");
      return make("NoBackendsError", "no connections available", failure.info);
    case FailureKind::not_served: return not_served();
    case FailureKind::overloaded: return make("OverloadedError", failure.message, failure.info);
    case FailureKind::connection_lost:
    case FailureKind::bad_reply: return make("FastProtocolError", failure.message, failure.info);
  }
  return make("Error", failure.message, failure.info);
}

fast::Error deadline(std::chrono::milliseconds limit, std::string_view pnode, std::string_view rpc,
                     std::chrono::milliseconds elapsed) {
  return make("TimeoutError",
              "request deadline of " + std::to_string(limit.count()) + " ms exceeded",
              "{\"pnode\":" + json_quoted(pnode) + ",\"rpcMethod\":" + json_quoted(rpc) +
                  ",\"elapsedMs\":" + std::to_string(elapsed.count()) + "}");
}

fast::Error multi(std::span<const ShardError> errors) {
  const fast::Error& first = errors.front().error;
  fast::Error error = make("MultiError",
                           "first of " + std::to_string(errors.size()) +
                               (errors.size() == 1 ? " error: " : " errors: ") + first.message,
                           first.info);
  error.ase_errors = "[";
  for (const ShardError& child : errors) {
    if (error.ase_errors.size() > 1) error.ase_errors += ',';
    append_child(error.ase_errors, child);
  }
  error.ase_errors += ']';
  return error;
}

}  // namespace router::errors

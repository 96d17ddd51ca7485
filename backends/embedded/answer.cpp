#include "backends/embedded/answer.hpp"

#include <chrono>

#include "fast/error_payload.hpp"
#include "objects/text.hpp"

namespace backends::embedded {
namespace {

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void send(const Task& task, Message::Kind kind, std::string payload) {
  if (task.stream) task.stream->unread_bytes += static_cast<std::int64_t>(payload.size());
  task.outbox->send({task.number, kind, std::move(payload), {}});
}

}  // namespace

void send_value(const Task& task, std::string_view value) {
  std::string payload;
  fast::append_values_payload(payload, to_string(task.rpc), now_us(), value);
  send(task, Message::Kind::data, std::move(payload));
}

void answer(const Task& task, const objects::Result<objects::JsArray>& values) {
  std::string payload;
  if (!values) {
    const objects::Error& error = values.error();
    fast::append_error_payload(payload, to_string(task.rpc), now_us(),
                               {objects::text::well_formed(error.name),
                                objects::text::well_formed(error.message),
                                error.context,
                                error.info,
                                {}});
    return send(task, Message::Kind::error, std::move(payload));
  }
  for (const objects::JsValue& value : *values) send_value(task, objects::stringify(value));
  fast::append_values_payload(payload, to_string(task.rpc), now_us(), "");
  send(task, Message::Kind::end, std::move(payload));
}

objects::Error store_failed(const std::string& what) {
  return {"InternalError", "embedded shard: " + what};
}

}  // namespace backends::embedded

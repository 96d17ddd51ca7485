#include "router/exchange.hpp"

#include "fast/encoder.hpp"
#include "router/cells.hpp"
#include "router/dispatch_context.hpp"

namespace router {

std::int64_t now_uts() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

void Exchange::open(Origin origin) {
  origin_ = std::move(origin);
  ++context_.live_exchanges;
}

void Exchange::over() {
  disarm_deadline();
  origin_.client = nullptr;
  origin_.ring = {};
  --context_.live_exchanges;
}

void Exchange::arm_deadline() {
  if (origin_.deadline) context_.wheel->arm(*this, origin_.started + *origin_.deadline);
}

void Exchange::arm_idle_limit() {
  context_.wheel->arm(*this, Clock::now() + context_.limits.stream_idle);
}

void Exchange::disarm_deadline() { context_.wheel->disarm(*this); }

std::chrono::milliseconds Exchange::elapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - origin_.started);
}

void Exchange::write_frame(fast::Status status, std::span<const std::string_view> pieces,
                           std::optional<std::uint16_t> checksum) {
  if (answered()) return;
  std::string& out = origin_.client->output();
  if (checksum)
    fast::append_frame_with_checksum(out, origin_.version, status, origin_.message_id, *checksum,
                                     pieces);
  else
    fast::append_frame(out, origin_.version, status, origin_.message_id, pieces);
  origin_.client->output_grew();
}

void Exchange::write_values(std::string_view elements) {
  if (answered()) return;
  std::string& out = origin_.client->output();
  const std::size_t frame = fast::begin_frame(out);
  fast::append_values_payload(out, origin_.method->name, now_uts(), elements);
  fast::finish_frame(out, frame, origin_.version, fast::Status::data, origin_.message_id);
  origin_.client->output_grew();
}

void Exchange::write_end() {
  if (answered()) return;
  std::string& out = origin_.client->output();
  const std::size_t frame = fast::begin_frame(out);
  fast::append_values_payload(out, origin_.method->name, now_uts(), {});
  fast::finish_frame(out, frame, origin_.version, fast::Status::end, origin_.message_id);
  origin_.client->output_grew();
}

void Exchange::write_error(const fast::Error& error) {
  if (answered()) return;
  std::string& out = origin_.client->output();
  const std::size_t frame = fast::begin_frame(out);
  fast::append_error_payload(out, origin_.method->name, now_uts(), error);
  fast::finish_frame(out, frame, origin_.version, fast::Status::error, origin_.message_id);
  origin_.client->output_grew();
}

void Exchange::close_client(bool failed) {
  if (answered()) return;
  ClientPort* client = std::exchange(origin_.client, nullptr);
  if (context_.cells != nullptr)
    context_.cells->request_completed(origin_.method->rpc, Clock::now() - origin_.started, failed);
  client->finished(origin_.message_id);
}

}  // namespace router

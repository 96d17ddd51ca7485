#include "router/serve/exchange.hpp"

#include <algorithm>

#include "fast/encoder.hpp"
#include "router/plan/errors.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/dispatch_context.hpp"

namespace router {

std::int64_t now_uts() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

void Exchange::open(Origin origin) {
  origin_ = std::move(origin);
  written_ = 0;
  ++context_.live_exchanges;
}

void Exchange::over() {
  await_nothing();
  origin_.client = nullptr;
  origin_.ring = {};
  origin_.charge = {};
  --context_.live_exchanges;
}

bool Exchange::room_at(std::size_t pnode) const {
  constexpr std::size_t kAlways = 1 << 20;
  if (origin_.ring->turns.empty()) return true;
  const std::size_t before = origin_.ring->turns[pnode]->bytes();
  const std::size_t bytes = before + cost();
  // By the worker: half of a client's share, since a shard has all workers' requests.
  return bytes <= kAlways || before == 0 || bytes <= context_.memory.share() / 2;
}

void Exchange::await(Awaited awaited, Clock::time_point until) {
  awaited_ = awaited;
  context_.wheel->arm(*this, until);
}

void Exchange::await_answer() {
  if (origin_.deadline) await(Awaited::answer, origin_.started + *origin_.deadline);
}

void Exchange::limit_wait() {
  if (origin_.deadline || endless() || answered()) return;
  origin_.deadline =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - origin_.started) +
      usual_deadline(*origin_.method, context_.limits);
  if (awaited_ == Awaited::nothing) await_answer();
}

void Exchange::await_more() {
  if (endless()) return;  // nobody knows when the next notification comes
  await(Awaited::more, Clock::now() + context_.limits.stream_idle);
}

void Exchange::await_nothing() {
  awaited_ = Awaited::nothing;
  context_.wheel->disarm(*this);
}

void Exchange::on_deadline() {
  switch (std::exchange(awaited_, Awaited::nothing)) {
    case Awaited::nothing: return;
    case Awaited::gate: give_up_hold(); return;
    case Awaited::answer:
    case Awaited::more: answer_late(); return;
  }
}

std::chrono::milliseconds Exchange::elapsed() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - origin_.started);
}

void Exchange::hold(std::string_view payload) {
  if (payload.data() != retained_.data()) retained_.assign(payload);
  context_.held.add(*this);
  origin_.client->held_changed(1, static_cast<std::ptrdiff_t>(cost()));
  // Held time counts in the deadline; whichever is first says that the write was not done.
  auto until = Clock::now() + context_.held.limits().time_max;
  if (origin_.deadline) until = std::min(until, origin_.started + *origin_.deadline);
  if (awaited_ != Awaited::gate) await(Awaited::gate, until);
}

void Exchange::leave_hold() {
  context_.held.remove(*this);
  if (!answered()) origin_.client->held_changed(-1, -static_cast<std::ptrdiff_t>(cost()));
}

void Exchange::go_on() {
  leave_hold();
  Planned planned = plan_again();
  if (std::holds_alternative<Hold>(planned.decision)) {
    hold(retained_);  // its limit stays, and its room
    return;
  }
  context_.held.give_room(retained_.size());
  await_nothing();
  if (const auto* reject = std::get_if<Reject>(&planned.decision)) {
    if (context_.cells != nullptr) context_.cells->gate().refused_later.add();
    return refuse(reject->error);
  }
  if (context_.cells != nullptr) context_.cells->gate().released.add();
  await_answer();
  go(planned);
}

void Exchange::go(Planned& planned) {
  aim(planned);
  const auto* shard = std::get_if<ToShard>(&planned.decision);
  if (shard != nullptr && waits_for_turn(number(shard->pnode), retained_)) return;
  send_held(planned);
}

void Exchange::give_up_hold() {
  leave_hold();
  context_.held.give_room(retained_.size());
  if (context_.cells != nullptr) context_.cells->gate().expired.add();
  refuse(errors::read_only_vnodes());
}

void Exchange::refuse(const fast::Error& error) {
  write_error(error);
  close_client(true);
  release();
}

void Exchange::drop_held() {
  forget_client();
  leave_hold();
  context_.held.give_room(retained_.size());
  if (context_.cells != nullptr) context_.cells->gate().abandoned.add();
  release();
}

Planned Exchange::plan_again() {
  origin_.ring = context_.ring;
  if (context_.request.parse(retained_))
    return {.decision = Reject{errors::bad_payload("request could not be read again")},
            .edits = {},
            .timeout_ms = {}};
  const auto d = context_.request.root().find("d");
  return plan(*origin_.method, retained_, *d, *origin_.ring->snapshot, context_.plan_scratch);
}

void Exchange::write_frame(fast::Status status, std::span<const std::string_view> pieces,
                           std::optional<std::uint16_t> checksum) {
  if (answered()) return;
  for (const std::string_view piece : pieces) written_ += piece.size();
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
  if (!origin_.method->stream) client->answer_written(written_);
  if (context_.cells != nullptr)
    context_.cells->request_completed(origin_.method->rpc, Clock::now() - origin_.started, failed);
  client->finished(origin_.message_id);
}

}  // namespace router

// An exchange's part of what its shard has under way, and its turn there.
#include "router/plan/errors.hpp"
#include "router/serve/cells.hpp"
#include "router/serve/dispatch_context.hpp"
#include "router/serve/exchange.hpp"

namespace router {
namespace {

using Kind = ShardTurns::Kind;
using Long = ShardTurns::Long;

/// Requests to single objects and buckets, whose answer is expected at once, take turns by the
/// shard's pace; nullopt: the others may take any time, and say nothing of it, or go to all shards.
std::optional<Kind> kind_of(const Method& method) {
  if (method.deadline != DeadlineClass::object || method.route == Route::all_shards ||
      method.route == Route::here)
    return std::nullopt;
  if (method.rpc == backends::Rpc::batch) return Kind::batch;
  return method.write ? Kind::write : Kind::read;
}

/// Those to one shard that may take any time, and so have its places by turns.
std::optional<Long> long_of(const Method& method) {
  if (method.deadline != DeadlineClass::find || method.route == Route::all_shards)
    return std::nullopt;
  return method.stream ? Long::stream : Long::change;
}

}  // namespace

void Exchange::begin_part(ShardTurns::Part& part, std::size_t pnode) const {
  if (origin_.ring->turns.empty()) return;
  ShardTurns& turns = *origin_.ring->turns[pnode];
  if (const auto kind = kind_of(*origin_.method))
    part.begin(turns, cost(), *kind);
  else if (const auto long_kind = long_of(*origin_.method))
    part.begin(turns, cost(), *long_kind, origin_.client);
  else
    part.begin(turns, cost());
}

bool Exchange::must_wait(std::size_t pnode) const {
  if (origin_.ring->turns.empty()) return false;
  const ShardTurns& turns = *origin_.ring->turns[pnode];
  if (kind_of(*origin_.method)) return turns.must_wait();
  const auto long_kind = long_of(*origin_.method);
  return long_kind && turns.must_wait(origin_.client, *long_kind);
}

bool Exchange::waits_for_turn(std::size_t pnode, std::string_view payload) {
  if (!must_wait(pnode)) return false;
  ShardTurns& turns = *origin_.ring->turns[pnode];
  if (payload.data() != retained_.data()) retained_.assign(payload);
  if (const auto long_kind = long_of(*origin_.method))
    context_.turns.wait(*this, turns, origin_.client, *long_kind);
  else
    context_.turns.wait(*this, turns, origin_.client, payload.size());
  return true;
}

void Exchange::leave_line() {
  forget_client();
  context_.turns.leave(*this);
  release();
}

/// The ring may be another one, and the gate closed.
void Exchange::turn_has_come() {
  Planned planned = plan_again();
  if (std::holds_alternative<Hold>(planned.decision)) return begin_hold();
  if (const auto* reject = std::get_if<Reject>(&planned.decision)) return refuse(reject->error);
  send_held(planned);
}

void Exchange::shard_has_left() {
  context_.turns.leave(*this);
  Planned planned = plan_again();
  if (std::holds_alternative<Hold>(planned.decision)) return begin_hold();
  if (const auto* reject = std::get_if<Reject>(&planned.decision)) return refuse(reject->error);
  go(planned);
}

void Exchange::turn_is_late(std::chrono::milliseconds waited) {
  if (context_.cells != nullptr) context_.cells->turn_late();
  refuse(errors::turn_late(waited));
}

void Exchange::gate_has_changed() {
  if (!origin_.method->write) return;
  const ActiveRingPointer planned_on = origin_.ring;
  if (!std::holds_alternative<Hold>(plan_again().decision)) {
    origin_.ring = planned_on;
    return;
  }
  context_.turns.leave(*this);
  begin_hold();
}

/// As the dispatcher does with one that was just read.
void Exchange::begin_hold() {
  if (!context_.held.take_room(retained_.size())) {
    if (context_.cells != nullptr) context_.cells->gate().overflowed.add();
    return refuse(errors::read_only_vnodes());
  }
  if (context_.cells != nullptr) context_.cells->gate().held.add();
  hold(retained_);
}

}  // namespace router

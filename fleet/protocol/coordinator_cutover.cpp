// A cutover of a plan of resharding, which its owner takes from stage to stage.
#include <utility>

#include "fleet/protocol/coordinator.hpp"

namespace fleet {

bool Coordinator::reached() const {
  const auto* gathering = std::get_if<Gathering>(&phase_);
  if (aim_ == Aim::found) return gathering != nullptr || std::holds_alternative<Counting>(phase_);
  if (gathering == nullptr || !gathering->all) return false;
  switch (aim_) {
    case Aim::prepare: return state_.change->stage == Stage::prepare;
    case Aim::block: return state_.change->stage == Stage::block;
    case Aim::activate: return state_.change->stage == Stage::activate;
    case Aim::found:
    case Aim::committed:
    case Aim::abandoned: return false;
  }
  return false;
}

/// The plan's change as it stands, or a new one where its owner wants that.
void Coordinator::take_up(const Seen& seen, const intent::Cutover& cutover) {
  const auto& change = seen.state.change;
  if (change && change->plan && change->plan->token == cutover.plan.token) {
    adopt(seen);
    token_ = change->token;
    phase_ = Counting{};
  } else if (aim_ != Aim::prepare) {
    adopt(seen);
    end(Ending::Kind::overtaken, "no change of the plan is open");
  } else if (!change) {
    open(seen);
  } else {
    say_other(seen);
  }
}

/// The next write towards what the owner wants. What is being written is known first.
void Coordinator::step_to_aim() {
  const auto* gathering = std::get_if<Gathering>(&phase_);
  if (gathering == nullptr && !std::holds_alternative<Counting>(phase_)) return;
  const bool all = gathering != nullptr && gathering->all;
  const Stage stage = state_.change->stage;
  if (aim_ == Aim::found) return;
  if ((aim_ == Aim::activate || aim_ == Aim::committed) && stage == Stage::prepare)
    return end(Ending::Kind::overtaken, "the fleet has not blocked what the plan has committed");
  if (aim_ == Aim::committed) return close(true);
  if (aim_ == Aim::abandoned && stage != Stage::activate) return close(false);
  if (aim_ == Aim::abandoned)
    return end(Ending::Kind::overtaken, "another coordinator of the plan has committed it");
  const bool blocks = stage == Stage::prepare && aim_ == Aim::block && all;
  const bool commits = stage == Stage::block && aim_ == Aim::activate;
  if (blocks) block();
  if (commits) commit(gathering != nullptr ? Then::gather : Then::count);
}

void Coordinator::block() {
  State next = state_;
  next.change->stage = Stage::block;
  write(std::move(next), std::nullopt, Then::gather);
}

void Coordinator::commit(Then then) {
  State next = state_;
  next.change->stage = Stage::activate;
  next.ring = next.change->next;
  write(std::move(next), std::nullopt, then);
}

}  // namespace fleet

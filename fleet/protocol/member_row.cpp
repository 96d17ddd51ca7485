// What a member asks the row of a plan of resharding, and what it serves by the answers. The row
// decides, and the state follows it: a coordinator that can't reach the service counts the members'
// leases from the row's commit. So a lease of a plan's is renewed by the row alone.
#include <algorithm>
#include <utility>

#include "fleet/protocol/member.hpp"

namespace fleet {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Well below the margin that coordinators wait after a lease.
constexpr milliseconds kAskEach{200};
constexpr milliseconds kAskedEarly{2'000};   // before a lease's end
constexpr milliseconds kTargetAfter{1'000};  // a coordinator that lives closes the change sooner

}  // namespace

/// It has agreed to all that a plan's commit needs.
bool Member::follows_row() const {
  return disk_.record && disk_.record->kind == Kind::reshard &&
         disk_.record->phase != Record::Phase::prepared;
}

bool Member::has_next() const {
  return disk_.record && disk_.record->phase == Record::Phase::activated &&
         disk_.ring == disk_.record->next;
}

void Member::forget_row() {
  row_.reset();
  target_open_ = false;
  row_until_ = question_at_ = {};
}

/// Before its vnodes are refused, so that reads need not wait for the answer. After the ring came
/// into force: whether the target takes writes.
std::optional<nanoseconds> Member::question_at() const {
  if (!follows_row() || question_) return std::nullopt;
  if (has_next()) {
    if (target_open_) return std::nullopt;
    return std::max(question_at_, activated_at_ + nanoseconds(kTargetAfter));
  }
  if (row_ == RowSays::decided || row_ == RowSays::aborted) return std::nullopt;
  const milliseconds early = std::min(kAskedEarly, disk_.record->lease / 2);
  const nanoseconds served = row_ == RowSays::open ? row_until_ : nanoseconds{0};
  return std::max(question_at_, std::max(lease_until_, served) - early);
}

std::optional<RowQuestion> Member::next_question(nanoseconds now) {
  const auto at = question_at();
  if (!at || now < *at) return std::nullopt;
  question_ = Asked{disk_.record->token, has_next(), now};
  return RowQuestion{*disk_.record->plan, question_->at_target, disk_.record->next.digest};
}

/// What had not been committed when it was asked can't be served elsewhere before a lease's time
/// has passed since.
void Member::row_said(RowSays says, nanoseconds now) {
  const Asked asked = *std::exchange(question_, std::nullopt);
  if (!follows_row() || disk_.record->token != asked.token) return;
  question_at_ = now + kAskEach;
  if (asked.at_target) {
    target_open_ = target_open_ || says == RowSays::open;
    return;
  }
  row_ = says;
  if (says == RowSays::open || says == RowSays::fenced)
    row_until_ = std::max(row_until_, asked.at + disk_.record->lease);
}

/// As docs/resharding.md has it. The source's fence refuses writes from before the commit on, so
/// that they may pass where the row does not know of one.
Door Member::door_of_plan(nanoseconds now) const {
  using Writes = Door::Writes;
  if (has_next()) {
    if (target_open_) return {};
    const bool waits = now < activated_at_ + target_opens_within(disk_.record->lease);
    return {waits ? Writes::wait : Writes::refuse, true, {}};
  }
  if (row_ == RowSays::aborted) return {};
  const nanoseconds until = std::max(lease_until_, row_until_);
  if (now >= until) return {Writes::refuse, false, {}};
  if (now < lease_until_) return {Writes::wait, true, until};
  const bool open = row_ == RowSays::open && disk_.record->phase == Record::Phase::leased;
  return {open ? Writes::pass : Writes::refuse, true, until};
}

}  // namespace fleet

// What a member knows, and what follows from it.
#include "fleet/protocol/member.hpp"

#include <algorithm>
#include <utility>

namespace fleet {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kWentBackAfter{60'000};
constexpr milliseconds kFailedAgain{500};

/// How long a change may stand still before any member closes it.
nanoseconds close_after(const Change& change) {
  const milliseconds prepare =
      change.stage == Stage::prepare ? change.prepare_limit : milliseconds{0};
  return prepare + 2 * std::max(change.lease, 2 * kLeaseMargin);
}

}  // namespace

Member::Member(MemberOptions options, OnDisk disk, nanoseconds now)
    : options_(std::move(options)), disk_(std::move(disk)), started_(now), look_at_(now),
      seen_at_(now), activated_at_(now) {
  if (disk_.membership) {
    life_ = Inside{};
    found_ = disk_.membership;
    highest_seq_ = found_->seq;
  }
}

const Change* Member::change() const {
  return view_ && view_->state.change ? &*view_->state.change : nullptr;
}

Entry Member::entry() const {
  Entry entry = options_.entry;
  entry.incarnation = options_.incarnation;
  entry.ring = disk_.ring;
  return entry;
}

Membership Member::membership() const {
  Membership kept{options_.id, options_.incarnation, {}, disk_.ring, highest_seq_};
  if (view_ && view_->entry) kept.before = view_->entry->incarnation;
  return kept;
}

void Member::session_began(nanoseconds now) {
  connected_ = true;
  fresh_ = shown_ = followed_ = false;
  touched_.reset();
  look_at_ = now;
}

void Member::connection(bool there, nanoseconds now) {
  connected_ = there;
  if (there) look_at_ = now;
}

void Member::changed(nanoseconds now) { look_at_ = std::min(look_at_, now); }

void Member::seen(Seen seen, nanoseconds now) {
  request_.reset();
  newer_ = false;
  if (seen.state.seq < highest_seq_) {
    if (!back_since_) back_since_ = now;
    return;
  }
  back_since_.reset();
  followed_ = true;
  // Nobody could take a step while the service was away.
  const bool was_away = now - seen_at_ > options_.session;
  if (!view_ || was_away || view_->state.seq != seen.state.seq) seq_since_ = now;
  if (!view_) open_at_first_ = seen.state.change ? seen.state.change->token : "";
  view_ = std::move(seen);
  highest_seq_ = view_->state.seq;
  seen_at_ = now;
  judge_entry(*view_);
  const Change* open = change();
  // A plan's lease is renewed by what decides, which is its row.
  if (basis_ && open != nullptr && is_records(*open) && open->kind == Kind::publish &&
      open->stage != Stage::activate && disk_.record->phase == Record::Phase::leased)
    lease_until_ = std::max(lease_until_, *basis_ + disk_.record->lease);
  follow();
}

/// What the roster has of it. The session has written before the look, so that a missing entry is
/// not one that a server has not heard of yet.
void Member::judge_entry(const Seen& seen) {
  const bool mine = seen.entry && seen.entry->incarnation == options_.incarnation;
  if (mine) {
    entry_version_ = seen.entry_version;
    entry_written_ = seen.entry;
  }
  joins_ = false;
  shown_ = seen.lives == options_.incarnation;
  if (!mine && !is_of_before(seen)) {
    gone_ = true;
    if (std::holds_alternative<Inside>(life_)) removed();
    end_if_gone();
  } else if (!mine && std::holds_alternative<Leaving>(life_)) {
    entry_version_ = seen.entry_version;
  }
  auto* outside = std::get_if<Outside>(&life_);
  if (outside == nullptr) return;
  outside->in_roster = mine;
  const bool foreign = seen.entry && seen.entry->foreign;
  if (!foreign && (shown_ || seen.lives.empty()))
    twin_since_.reset();
  else if (!twin_since_)
    twin_since_ = seen_at_;
}

/// The roster has the process before, which kept the membership that this one has found.
bool Member::is_of_before(const Seen& seen) const {
  return seen.entry && found_ && !entry_written_ &&
         (seen.entry->incarnation == found_->incarnation ||
          seen.entry->incarnation == found_->before);
}

/// Nobody waits for this member any more. It serves nothing until it has joined anew.
void Member::removed() {
  life_ = Outside{};
  listening_ = false;
  entry_version_.reset();
  entry_written_.reset();
  found_.reset();
  doubt_.reset();
}

/// A process without an entry that leaves its membership on disk would serve at its next start, and
/// nobody would wait for it.
void Member::end_if_gone() {
  if (std::holds_alternative<Leaving>(life_) && gone_ && !disk_.membership && !work_)
    life_ = Left{};
}

/// What the newest state says about writes that wait, and about what this member has not agreed to.
void Member::follow() {
  const Change* open = change();
  const bool blocks = open != nullptr && is_records(*open) && open->stage == Stage::block &&
                      disk_.record->phase != Record::Phase::activated;
  if (blocks && !holding_) {
    holding_ = true;
    drained_.reset();
  }
  if (open != nullptr && is_records(*open)) return doubt_.reset();
  // A block begins with `block`: what was open before this process may have been agreed to.
  const bool agreed =
      open != nullptr &&
      (open->kind == Kind::block ? open_at_first_ == open->token : open->stage != Stage::prepare);
  if (agreed && !std::holds_alternative<Outside>(life_))
    doubt_ = open->token;
  else if (view_ && has_ring_in_force() && disk_.blocks == view_->blocks)
    doubt_.reset();
}

void Member::drained(std::uint64_t indeterminate, nanoseconds now) {
  if (!holding_) return;
  // What the process before has sent may be done yet, and nobody is left to count it.
  const bool unclean = options_.grace.count() > 0 && now < started_ + options_.grace;
  drained_ = indeterminate + (unclean ? 1 : 0);
}

void Member::leave(nanoseconds now) {
  if (std::holds_alternative<Leaving>(life_) || std::holds_alternative<Left>(life_)) return;
  listening_ = false;
  const auto* outside = std::get_if<Outside>(&life_);
  gone_ = outside != nullptr && !outside->in_roster && !joins_;
  life_ = Leaving{};
  look_at_ = now;
  end_if_gone();
}

/// Or the one that a plan's row has decided on, which the state has not followed yet.
bool Member::has_ring_in_force() const {
  const Change* open = change();
  const bool ahead = open != nullptr && is_records(*open) && follows_row() && has_next();
  return ahead || disk_.ring == view_->state.ring;
}

/// It has heard the service, and goes by what that says.
bool Member::settled() const {
  if (!view_ || !entry_version_ || !disk_.membership) return false;
  return has_ring_in_force() && disk_.blocks == view_->blocks;
}

bool Member::listens(nanoseconds now) {
  if (!std::holds_alternative<Inside>(life_)) return listening_ = false;
  if (listening_) return true;
  const bool plausible =
      disk_.ring == disk_.membership->ring || (disk_.record && disk_.ring == disk_.record->next);
  const bool newest = !view_ || (has_ring_in_force() && disk_.blocks == view_->blocks);
  const bool silence = newest && !newer_ && !options_.start_waits && plausible &&
                       now >= started_ + options_.start_wait;
  return listening_ = settled() || silence;
}

Door Member::door(nanoseconds now) const {
  using Writes = Door::Writes;
  constexpr Door kShut{Writes::refuse, false, {}};
  if (doubt_) return kShut;
  if (!disk_.record) return {};
  const Record& record = *disk_.record;
  if (record.phase == Record::Phase::prepared)
    return {holding_ ? Writes::wait : Writes::pass, true, {}};
  if (follows_row()) return door_of_plan(now);
  if (record.kind == Kind::block) return {record.waits ? Writes::wait : Writes::refuse, true, {}};
  // All others' leases have ended by then, too: they began before the commit.
  if (has_next() && !record.drains) return {};
  if (has_next())
    return {now < activated_at_ + lease_over(record.lease) ? Writes::wait : Writes::pass, true, {}};
  if (now >= lease_until_) return kShut;
  const bool waits = record.drains || record.phase == Record::Phase::activated;
  return {waits ? Writes::wait : Writes::pass, true, lease_until_};
}

bool Member::out_of_touch(nanoseconds now) const { return now - seen_at_ > options_.session; }

bool Member::service_went_back(nanoseconds now) const {
  return back_since_ && now - *back_since_ > kWentBackAfter;
}

bool Member::has_twin(nanoseconds now) const {
  return twin_since_ && now - *twin_since_ > 2 * options_.session;
}

bool Member::close_is_due(nanoseconds now) const {
  const Change* open = change();
  // One that waits to join, too: where the members are gone, it would wait for ever.
  if (open == nullptr || std::holds_alternative<Left>(life_)) return false;
  // Beyond that the plan's row decides what becomes of it, which its next coordinator knows.
  if (open->kind == Kind::reshard && open->stage != Stage::prepare) return false;
  return now - seq_since_ > close_after(*open);
}

std::optional<nanoseconds> Member::wake(nanoseconds now) const {
  std::optional<nanoseconds> next;
  const auto at = [&](nanoseconds time) {
    if (time > now && (!next || time < *next)) next = time;
  };
  if (std::holds_alternative<Left>(life_)) return next;
  at(seen_at_ + options_.session + nanoseconds{1});  // out of touch, which is shown
  if (connected_ && !request_) {
    at(std::max(look_at_, retry_at_));
    at(retry_at_);
  }
  if (!work_) at(work_at_);
  if (std::holds_alternative<Inside>(life_) && !listening_) at(started_ + options_.start_wait);
  if (const Change* open = change()) at(seq_since_ + close_after(*open) + milliseconds{1});
  if (!disk_.record) return next;
  if (connected_ && !request_) at(std::max(renewal_at(), retry_at_));
  at(lease_until_);
  at(row_until_);
  if (const auto question = question_at()) at(*question);
  at(activated_at_ + lease_over(disk_.record->lease));
  at(activated_at_ + target_opens_within(disk_.record->lease));
  return next;
}

nanoseconds Member::renewal_at() const { return lease_until_ - disk_.record->lease * 3 / 4; }

// Disk and ring.

std::optional<Work> Member::next_work(nanoseconds now) {
  if (work_ || now < work_at_) return std::nullopt;
  work_at_ = {};
  work_ = work_of();
  return work_;
}

void Member::did(nanoseconds now) {
  const Work done = *std::exchange(work_, std::nullopt);
  if (const auto* kept = std::get_if<work::KeepMembership>(&done)) {
    disk_.membership = kept->membership;
    const auto* outside = std::get_if<Outside>(&life_);
    if (outside != nullptr && outside->in_roster) life_ = Inside{};
  } else if (std::holds_alternative<work::DropMembership>(done)) {
    disk_.membership.reset();
  } else if (const auto* record = std::get_if<work::KeepRecord>(&done)) {
    if (!disk_.record || disk_.record->token != record->record.token) forget_row();
    disk_.record = record->record;
    // Before it is said that it was kept, and so before the commit.
    if (disk_.record->phase == Record::Phase::leased) lease_until_ = now + disk_.record->lease;
    if (disk_.record->phase == Record::Phase::activated) activated_at_ = now;
  } else if (std::holds_alternative<work::DropRecord>(done)) {
    disk_.record.reset();
    forget_row();
    holding_ = false;
    drained_.reset();
    staged_.reset();
    refusal_.reset();
    lease_until_ = {};
  } else if (const auto* blocks = std::get_if<work::KeepBlocks>(&done)) {
    disk_.blocks = blocks->blocks;
  } else if (const auto* staged = std::get_if<work::Stage>(&done)) {
    staged_ = staged->change.token;
    refusal_.reset();
  } else if (const auto* activated = std::get_if<work::Activate>(&done)) {
    disk_.ring = activated->ring;
    activated_at_ = now;
  } else if (const auto* taken = std::get_if<work::Take>(&done)) {
    disk_.ring = taken->ring;
    staged_.reset();
  }
  follow();
  end_if_gone();
}

void Member::failed(const std::string& why, bool for_good, nanoseconds now) {
  const Work done = *std::exchange(work_, std::nullopt);
  const auto* stage = std::get_if<work::Stage>(&done);
  if (stage != nullptr && for_good)
    refusal_ = Answer{stage->change.token, stage->change.stage, options_.incarnation, why, 0};
  else
    work_at_ = now + kFailedAgain;
  end_if_gone();
}

}  // namespace fleet

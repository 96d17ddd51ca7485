// What a member does to its disk and its ring.
#include "fleet/protocol/member.hpp"

namespace fleet {
namespace {

Record record_of(const Change& change, Record::Phase phase) {
  return {change.token,  change.kind,  phase,         change.base,  change.next,
          change.drains, change.lease, change.vnodes, change.waits, change.plan};
}

}  // namespace

std::optional<Work> Member::work_of() const {
  if (std::holds_alternative<Left>(life_)) return std::nullopt;
  if (std::holds_alternative<Outside>(life_)) return work_outside();
  // Without membership on disk the next start serves nothing, even if the entry stays.
  if (std::holds_alternative<Leaving>(life_) && disk_.membership) return work::DropMembership{};
  return work_inside();
}

/// Nothing is served, and nobody waits for this member.
std::optional<Work> Member::work_outside() const {
  if (std::get<Outside>(life_).in_roster && !disk_.membership)
    return work::KeepMembership{membership()};
  if (disk_.membership) return work::DropMembership{};
  if (disk_.record) return work::DropRecord{};
  if (!view_) return std::nullopt;
  if (disk_.blocks != view_->blocks) return work::KeepBlocks{view_->blocks};
  if (change() == nullptr && disk_.ring != view_->state.ring) return work::Take{view_->state.ring};
  return std::nullopt;
}

std::optional<Work> Member::work_inside() const {
  if (!view_) return decided_by_row() ? work_committed() : std::nullopt;
  const bool inside = std::holds_alternative<Inside>(life_);
  // Before the roster is told: it may be told, and this process end before it knows.
  if (inside && entry_is_old() && !may_write_entry()) return work::KeepMembership{membership()};
  // An operator may have written the roster's entry for this process.
  if (inside && entry_written_ && disk_.membership->incarnation != options_.incarnation)
    return work::KeepMembership{membership()};
  if (disk_.blocks != view_->blocks) return work::KeepBlocks{view_->blocks};
  const Change* open = change();
  if (disk_.record && (open == nullptr || !is_records(*open))) return work_decided();
  if (open != nullptr) return work_open(*open);
  if (disk_.ring != view_->state.ring) return work::Take{view_->state.ring};
  if (inside && disk_.membership->ring != disk_.ring) return work::KeepMembership{membership()};
  if (staged_) return work::DropRecord{};
  return std::nullopt;
}

/// The roster has the process before.
bool Member::entry_is_old() const {
  return !entry_version_ && view_->entry && view_->entry->incarnation != options_.incarnation;
}

/// The disk knows that the roster may have this process's entry, or the one that it has now.
bool Member::may_write_entry() const {
  return disk_.membership->incarnation == options_.incarnation &&
         disk_.membership->before == view_->entry->incarnation;
}

/// The record's change has been closed, and others perhaps after it: the ring in force says how.
std::optional<Work> Member::work_decided() const {
  if (disk_.ring != view_->state.ring) return work::Take{view_->state.ring};
  if (std::holds_alternative<Inside>(life_) && disk_.membership->ring != disk_.ring)
    return work::KeepMembership{membership()};
  return work::DropRecord{};
}

std::optional<Work> Member::work_open(const Change& change) const {
  if (is_records(change)) return work_agreed(change);
  const bool first = change.stage == Stage::prepare || change.kind == Kind::block;
  if (first && disk_.ring != view_->state.ring) return work::Take{view_->state.ring};
  if (refusal_ && refusal_->token == change.token) return std::nullopt;
  if (!has_staged(change)) return work::Stage{change};
  if (change.stage == Stage::activate)
    return work::KeepRecord{record_of(change, Record::Phase::activated)};
  if (!first) return std::nullopt;  // in doubt until it is closed
  const bool agreed = change.kind == Kind::publish && !change.drains;
  return work::KeepRecord{
      record_of(change, agreed ? Record::Phase::leased : Record::Phase::prepared)};
}

std::optional<Work> Member::work_agreed(const Change& change) const {
  const Record& record = *disk_.record;
  if (change.stage == Stage::block && record.phase == Record::Phase::prepared && drained_)
    return work::KeepRecord{record_of(change, Record::Phase::leased)};
  if (change.stage != Stage::activate && !decided_by_row()) return std::nullopt;
  return work_committed();
}

/// By the state, or by the row of a plan, which the state follows.
std::optional<Work> Member::work_committed() const {
  Record record = *disk_.record;
  if (record.phase != Record::Phase::activated) {
    record.phase = Record::Phase::activated;
    return work::KeepRecord{std::move(record)};
  }
  if (disk_.ring != record.next) return work::Activate{record.next};
  // What the roster may have is known from a look.
  if (view_ && std::holds_alternative<Inside>(life_) && disk_.membership->ring != disk_.ring)
    return work::KeepMembership{membership()};
  return std::nullopt;
}

}  // namespace fleet

// What a member asks of the service, and what the answers mean.
#include "fleet/protocol/member.hpp"

#include <utility>

namespace fleet {
namespace {

using coordination::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kUnknownAgain{100};

}  // namespace

/// A quarter of the lease has passed since it was renewed, and only a write of its own shows that
/// what is read then is not from before the commit.
bool Member::wants_renewal(nanoseconds now) const {
  const Change* open = change();
  return open != nullptr && is_records(*open) && open->kind == Kind::publish &&
         open->stage != Stage::activate && disk_.record->phase == Record::Phase::leased &&
         !touched_ && !back_since_ && now >= renewal_at();
}

std::optional<Request> Member::next_request(nanoseconds now) {
  if (request_ || !connected_ || now < retry_at_) return std::nullopt;
  retry_at_ = {};
  request_ = request_of(now);
  asked_ = now;
  if (request_ && std::holds_alternative<ask::Join>(*request_)) joins_ = true;
  if (request_ && std::holds_alternative<ask::Look>(*request_)) {
    basis_ = std::exchange(touched_, std::nullopt);
    look_at_ = now + options_.look_every;  // what changes while it looks makes it look again
  }
  return request_;
}

std::optional<Request> Member::request_of(nanoseconds now) const {
  if (std::holds_alternative<Left>(life_)) return std::nullopt;
  const bool inside = std::holds_alternative<Inside>(life_);
  if (!fresh_ || (inside && entry_version_ && !shown_) || wants_renewal(now))
    return ask::Touch{inside ? entry_version_ : std::nullopt, inside && entry_version_};
  if (now >= look_at_ || touched_) return ask::Look{};
  if (!view_ || back_since_) return std::nullopt;
  if (std::holds_alternative<Outside>(life_)) return request_outside();
  if (std::holds_alternative<Leaving>(life_)) return request_leaving();
  return request_inside();
}

std::optional<Request> Member::request_outside() const {
  const bool ready = !std::get<Outside>(life_).in_roster && change() == nullptr && !work_ &&
                     !disk_.membership && !disk_.record && disk_.ring == view_->state.ring &&
                     disk_.blocks == view_->blocks;
  if (!ready || twin_since_) return std::nullopt;
  if (!shown_) return ask::Touch{std::nullopt, true};  // so that no other process joins in its name
  ask::Join join{entry(), std::nullopt, view_->version};
  if (view_->entry) join.version = view_->entry_version;
  return join;
}

std::optional<Request> Member::request_leaving() const {
  if (disk_.membership || !entry_version_) return std::nullopt;
  const bool old = view_->entry && view_->entry->incarnation != options_.incarnation;
  if (change() != nullptr && old && !entry_written_)  // or its answers would not count
    return ask::WriteEntry{entry(), *entry_version_};
  if (auto answer = wanted_answer(); answer && answer != answered_)
    return ask::Acknowledge{*std::move(answer)};
  if (change() != nullptr || disk_.record) return std::nullopt;
  return ask::Leave{*entry_version_, view_->version};
}

std::optional<Request> Member::request_inside() const {
  if (!entry_version_) {
    if (!entry_is_old() || !may_write_entry()) return std::nullopt;
    return ask::WriteEntry{entry(), view_->entry_version};
  }
  if (auto answer = wanted_answer(); answer && answer != answered_)
    return ask::Acknowledge{*std::move(answer)};
  if (entry_written_ && entry_written_->ring != disk_.ring)
    return ask::WriteEntry{entry(), *entry_version_};
  return std::nullopt;
}

/// To the stage that the open change is at.
std::optional<Answer> Member::wanted_answer() const {
  const Change* open = change();
  if (open == nullptr) return std::nullopt;
  if (refusal_ && refusal_->token == open->token && open->stage != Stage::activate) return refusal_;
  if (!is_records(*open)) return std::nullopt;
  Answer answer{open->token, open->stage, options_.incarnation, {}, 0};
  switch (open->stage) {
    case Stage::prepare: return answer;
    case Stage::block:
      if (disk_.record->phase != Record::Phase::leased || !drained_) return std::nullopt;
      answer.indeterminate = *drained_;
      return answer;
    case Stage::activate:
      if (disk_.record->phase != Record::Phase::activated || disk_.ring != open->next)
        return std::nullopt;
      return answer;
  }
  return std::nullopt;
}

void Member::told(Outcome outcome, std::size_t failed, nanoseconds now) {
  const Request request = *std::exchange(request_, std::nullopt);
  if (outcome == Outcome::done) return told_done(request);
  look_at_ = now;
  const bool entry_in_doubt = std::holds_alternative<ask::WriteEntry>(request) ||
                              std::holds_alternative<ask::Join>(request) ||
                              std::holds_alternative<ask::Leave>(request);
  if (outcome == Outcome::unknown) {
    retry_at_ = now + kUnknownAgain;
    // Whether it was done is seen after a write.
    if (entry_in_doubt) fresh_ = false;
    return;
  }
  const bool of_versions = outcome == Outcome::version_differs || outcome == Outcome::no_node ||
                           outcome == Outcome::exists;
  const auto* touch = std::get_if<ask::Touch>(&request);
  if (touch != nullptr && touch->entry && of_versions && failed == 0) {
    entry_version_.reset();  // it is judged after a touch that doesn't ask for it
    fresh_ = false;
  } else if (!entry_in_doubt || !of_versions || outcome == Outcome::no_node) {
    retry_at_ = now + kUnknownAgain;
  }
}

void Member::told_done(const Request& request) {
  if (const auto* touch = std::get_if<ask::Touch>(&request)) {
    fresh_ = true;
    shown_ = shown_ || touch->shows;
    touched_ = asked_;
  } else if (const auto* written = std::get_if<ask::WriteEntry>(&request)) {
    entry_version_ = written->version + 1;
    entry_written_ = written->entry;
  } else if (const auto* join = std::get_if<ask::Join>(&request)) {
    entry_version_ = join->version ? *join->version + 1 : coordination::kFirstVersion;
    entry_written_ = join->entry;
    if (auto* outside = std::get_if<Outside>(&life_)) outside->in_roster = true;
  } else if (std::holds_alternative<ask::Leave>(request)) {
    gone_ = true;
    end_if_gone();
  } else if (const auto* acknowledged = std::get_if<ask::Acknowledge>(&request)) {
    answered_ = acknowledged->answer;
  }
}

}  // namespace fleet

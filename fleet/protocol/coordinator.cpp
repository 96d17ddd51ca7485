// What a coordinator writes, and when.
#include "fleet/protocol/coordinator.hpp"

#include <algorithm>
#include <utility>

namespace fleet {
namespace {

using coordination::Outcome;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kPollEvery{100};
constexpr const char* kRefused =
    "the service refuses what the coordinator asks for: credentials, rights, or bytes";

}  // namespace

Coordinator::Coordinator(CoordinatorOptions options, Intent intent, nanoseconds now)
    : options_(std::move(options)), intent_(std::move(intent)), began_(now), poll_at_(now),
      token_(options_.token) {}

void Coordinator::session_began(nanoseconds now) {
  connected_ = true;
  fresh_ = false;
  // The service may have been replaced meanwhile, and count its versions anew.
  stale_ = !std::holds_alternative<Opening>(phase_);
  poll_at_ = now;
}

void Coordinator::connection(bool there, nanoseconds now) {
  connected_ = there;
  if (there) poll_at_ = now;
}

void Coordinator::end(Ending::Kind kind, std::string why) { ending_ = {kind, std::move(why)}; }

std::optional<CoordinatorRequest> Coordinator::next_request(nanoseconds now) {
  if (ending_ || request_) return std::nullopt;
  if (const auto* gathering = std::get_if<Gathering>(&phase_);
      gathering && now >= gathering->limit && !is_cutover())
    limit_passed();
  if (std::holds_alternative<Opening>(phase_) && now > began_ + options_.open_limit) {
    end(is_cutover() ? Ending::Kind::unreached : Ending::Kind::abandoned,
        other_.empty() ? "the service was not reached" : other_);
    return std::nullopt;
  }
  if (is_cutover()) step_to_aim();
  if (ending_ || !connected_ || now < retry_at_) return std::nullopt;
  request_ = request_of(now);
  return request_;
}

std::optional<CoordinatorRequest> Coordinator::request_of(nanoseconds now) {
  if (!fresh_) return ask::Touch{};
  if (stale_) return ask::Look{};
  if (const auto* writing = std::get_if<Writing>(&phase_))
    return writing->in_doubt ? CoordinatorRequest(ask::Look{}) : writing->write;
  if (std::holds_alternative<Counting>(phase_)) return ask::ReadRoster{};
  if (now < poll_at_) return std::nullopt;
  if (const auto* gathering = std::get_if<Gathering>(&phase_); gathering && gathering->all)
    return std::nullopt;
  poll_at_ = now + kPollEvery;
  if (std::holds_alternative<Opening>(phase_)) return ask::Look{};
  ask::ReadAnswers read;
  for (const auto& [id, entry] : roster_) read.ids.push_back(id);
  return read;
}

std::optional<nanoseconds> Coordinator::wake(nanoseconds now) const {
  std::optional<nanoseconds> next;
  const auto at = [&](nanoseconds time) {
    if (time > now && (!next || time < *next)) next = time;
  };
  if (ending_) return next;
  const auto* gathering = std::get_if<Gathering>(&phase_);
  if (gathering != nullptr && !is_cutover()) at(gathering->limit);
  if (std::holds_alternative<Opening>(phase_)) at(began_ + options_.open_limit + nanoseconds{1});
  if (connected_ && !request_) at(std::max(poll_at_, retry_at_));
  return next;
}

void Coordinator::told(Outcome outcome, nanoseconds now) {
  const CoordinatorRequest request = *std::exchange(request_, std::nullopt);
  const bool refused = outcome == Outcome::denied || outcome == Outcome::refused;
  if (std::holds_alternative<ask::Touch>(request)) {
    fresh_ = outcome == Outcome::done;
    if (!fresh_) retry_at_ = now + kPollEvery;
    if (refused) end(Ending::Kind::refused, kRefused);
    return;
  }
  auto* writing = std::get_if<Writing>(&phase_);
  if (writing == nullptr || !std::holds_alternative<ask::Write>(request)) {
    retry_at_ = now + kPollEvery;  // a read has read nothing
    if (refused) end(Ending::Kind::refused, kRefused);
    return;
  }
  if (outcome == Outcome::done) return written(now);
  if (refused) return end(Ending::Kind::refused, kRefused);
  if (outcome == Outcome::no_node)
    return end(Ending::Kind::refused, "a node of the fleet's is missing in the service");
  // Nobody knows, or another has written. What is read before a write of one's own may be old.
  writing->maybe_done = writing->maybe_done || outcome == Outcome::unknown;
  writing->in_doubt = true;
  fresh_ = false;
}

void Coordinator::seen(const Seen& seen, nanoseconds now) {
  request_.reset();
  const bool stale = std::exchange(stale_, false);
  if (std::holds_alternative<Writing>(phase_)) return resolve(seen, now);
  if (stale && !std::holds_alternative<Opening>(phase_)) return compare(seen);
  if (!std::holds_alternative<Opening>(phase_)) return;
  if (const auto* cutover = std::get_if<intent::Cutover>(&intent_)) return take_up(seen, *cutover);
  if (const auto* close = std::get_if<intent::Close>(&intent_)) return take_up(seen, *close);
  if (!seen.state.change) return open(seen);
  say_other(seen);
}

void Coordinator::say_other(const Seen& seen) {
  other_ = "another change is open: " + seen.state.change->why + " (" +
           seen.state.change->coordinator + ")";
}

/// Whether a write was done that nobody has answered, or that was refused. Never again with another
/// version than that which it was decided by.
void Coordinator::resolve(const Seen& seen, nanoseconds now) {
  auto& writing = std::get<Writing>(phase_);
  if (seen.state.by == writing.write.state.by) return written(now);
  if (is_as_known(seen)) {
    writing.in_doubt = false;
    return;
  }
  if (writing.then == Then::count && !writing.maybe_done) {  // another was faster: nothing is open
    phase_ = Opening{};
    poll_at_ = now;
    return;
  }
  end_overtaken(seen.state);
}

/// By another session than that which has seen it last.
void Coordinator::compare(const Seen& seen) {
  if (!is_as_known(seen)) end_overtaken(seen.state);
}

void Coordinator::end_overtaken(const State& found) {
  const bool closed = found.last && found.last->token == token_;
  if (!closed) return end(Ending::Kind::overtaken, "another coordinator has gone on with it");
  end(found.last->committed ? Ending::Kind::committed : Ending::Kind::abandoned,
      why_.empty() ? "another coordinator has closed it" : why_);
}

void Coordinator::write(State next, std::optional<Blocks> blocks, Then then) {
  next.seq = state_.seq + 1;
  next.by = options_.token + "." + std::to_string(++writes_);
  phase_ = Writing{{std::move(next), version_, std::move(blocks), blocks_version_, {}}, then};
}

void Coordinator::adopt(const Seen& seen) {
  state_ = seen.state;
  version_ = seen.version;
  blocks_ = seen.blocks;
  blocks_version_ = seen.blocks_version;
}

void Coordinator::open(const Seen& seen) {
  adopt(seen);
  Change change;
  change.token = token_;
  change.base = change.next = state_.ring;
  change.lease = options_.lease;
  change.prepare_limit = options_.prepare_limit;
  change.coordinator = options_.who;
  change.why = options_.why;
  change.opened_at = options_.opened_at;
  State next = state_;
  if (const auto* publish = std::get_if<intent::Publish>(&intent_)) {
    if (publish->base != state_.ring.digest)
      return end(Ending::Kind::abandoned, other_ring(publish->base));
    change.drains = publish->drains;
    change.next = {++next.highest, publish->digest};
  } else if (const auto* cutover = std::get_if<intent::Cutover>(&intent_)) {
    if (cutover->base != state_.ring.digest)
      return end(Ending::Kind::abandoned, other_ring(cutover->base));
    change.kind = Kind::reshard;
    change.plan = cutover->plan;
    change.next = {++next.highest, cutover->digest};
  } else if (const auto* block = std::get_if<intent::Block>(&intent_)) {
    change.kind = Kind::block;
    change.stage = Stage::block;
    change.vnodes = block->vnodes;
    change.waits = block->waits;
  } else if (const auto* opened = std::get_if<intent::Unblock>(&intent_)) {
    return unblock(seen, opened->token);
  }
  next.change = std::move(change);
  write(std::move(next), std::nullopt, Then::count);
}

std::string Coordinator::other_ring(const std::string& base) const {
  return "the ring in force is " + state_.ring.digest + " by now, not " + base;
}

void Coordinator::unblock(const Seen& seen, const std::string& token) {
  Blocks left = seen.blocks;
  std::erase_if(left, [&](const Block& block) { return block.token == token; });
  if (left.size() == seen.blocks.size())
    return end(Ending::Kind::abandoned, "there is no such block: " + token);
  write(state_, std::move(left), Then::end_committed);
  std::get<Writing>(phase_).write.note = "unblock " + token + ", by " + options_.who +
                                         (options_.why.empty() ? "" : " (" + options_.why + ")");
}

/// Somebody else's change, unless it has moved.
void Coordinator::take_up(const Seen& seen, const intent::Close& close) {
  adopt(seen);
  if (!state_.change || state_.change->token != close.token || state_.seq != close.seq)
    return end(Ending::Kind::overtaken, "its coordinator has gone on with it");
  token_ = close.token;
  phase_ = Counting{};
  if (state_.change->stage == Stage::activate) return;
  if (!close.commits || state_.change->stage != Stage::block)
    return abandon("its coordinator has gone");
  commit(Then::count);
}

void Coordinator::written(nanoseconds now) {
  const Writing done = std::get<Writing>(std::exchange(phase_, Counting{}));
  state_ = done.write.state;
  version_ = done.write.version + 1;
  if (done.write.blocks) blocks_version_ = done.write.blocks_version + 1;
  poll_at_ = now;
  switch (done.then) {
    case Then::count: return;
    case Then::gather: phase_ = Gathering{limit_of(state_.change->stage, now)}; return;
    case Then::end_committed: return end(Ending::Kind::committed);
    case Then::end_abandoned: return end(Ending::Kind::abandoned, why_);
  }
}

nanoseconds Coordinator::limit_of(Stage stage, nanoseconds now) const {
  switch (stage) {
    case Stage::prepare: return now + state_.change->prepare_limit;
    case Stage::block: return now + state_.change->lease;
    // From the commit's answer on, or from when it was found.
    case Stage::activate: return now + lease_over(state_.change->lease);
  }
  return now;
}

void Coordinator::roster(Roster roster, nanoseconds now) {
  request_.reset();
  if (!std::holds_alternative<Counting>(phase_)) return;
  roster_ = std::move(roster);
  poll_at_ = now;
  phase_ = Gathering{limit_of(state_.change->stage, now)};
}

void Coordinator::heard(const std::map<std::string, Heard>& answers) {
  request_.reset();
  if (!std::holds_alternative<Gathering>(phase_)) return;
  const Change& change = *state_.change;
  missing_.clear();
  refusal_.clear();
  for (const auto& [id, entry] : roster_) {
    const std::string objection = objection_to(entry);
    if (!objection.empty()) {
      refusal_ = id + ": " + objection;
      if (!is_cutover()) return abandon(refusal_);
    }
    if (entry.foreign || !objection.empty()) continue;
    const auto found = answers.find(id);
    const Answer* answer =
        found != answers.end() && found->second.answer ? &*found->second.answer : nullptr;
    // Of the process that the roster has now: one before it may not have left what it had on disk.
    const bool counts = answer != nullptr && answer->token == change.token &&
                        answer->stage == change.stage && found->second.entry &&
                        found->second.entry->incarnation == answer->incarnation;
    if (!counts) {
      missing_ += (missing_.empty() ? "" : ", ") + id;
    } else if (change.stage != Stage::activate && !answer->refusal.empty()) {
      refusal_ = id + ": " + answer->refusal;
      if (!is_cutover()) return abandon(refusal_);
    } else if (change.stage == Stage::block && answer->indeterminate > 0 &&
               !options_.indeterminate_is_fine && !is_cutover()) {
      return abandon(
          id + ": " + std::to_string(answer->indeterminate) +
          " writes may be done yet: their shard was lost before it answered, or their router "
          "was killed a moment ago");
    }
  }
  if (!missing_.empty() || !refusal_.empty()) return;
  if (is_cutover())
    std::get<Gathering>(phase_).all = true;
  else
    all_agreed();
}

/// Why the change cannot be made, before the member answers; empty: it may be.
std::string Coordinator::objection_to(const Entry& entry) const {
  const Change& change = *state_.change;
  if (change.stage == Stage::activate) return "";
  if (!entry.foreign) {
    const int version = version_of(change.kind);
    if (entry.speaks.have(version)) return "";
    return "its program speaks version " + std::to_string(entry.speaks.to) +
           " of the fleet's protocol, and this needs " + std::to_string(version);
  }
  const bool only_data = change.kind == Kind::publish && !change.drains;
  if (entry.foreign->stopped || (only_data && entry.foreign->digest == change.next.digest))
    return "";
  return "it is no router of ours, and can't hold writes or give vnodes up. Stop it, and say so: "
         "`fleet acknowledge` with --stopped" +
         (only_data ? "; or let it serve ring " + change.next.digest + " first, and say that"
                    : std::string());
}

void Coordinator::all_agreed() {
  const Change& change = *state_.change;
  switch (change.stage) {
    case Stage::prepare: return change.drains ? block() : commit(Then::gather);
    case Stage::block: return change.kind == Kind::block ? close(true) : commit(Then::gather);
    case Stage::activate: return close(true);
  }
}

void Coordinator::limit_passed() {
  if (state_.change->stage == Stage::activate) return close(true);
  abandon("no answer from " + missing_);
}

void Coordinator::abandon(const std::string& why) {
  why_ = why;
  close(false);
}

/// Members release what moves, and drop what they have kept of it, when they see it.
void Coordinator::close(bool committed) {
  State next = state_;
  const Change change = *std::exchange(next.change, std::nullopt);
  next.last = Closed{change.token, committed, change.lease};
  if (committed) next.ring = change.next;  // of a cutover it may not be yet
  std::optional<Blocks> blocks;
  if (committed && change.kind == Kind::block) {
    blocks = blocks_;
    blocks->push_back({change.token, change.vnodes, change.waits, change.coordinator, change.why});
  }
  write(std::move(next), std::move(blocks), committed ? Then::end_committed : Then::end_abandoned);
}

}  // namespace fleet

#include "turns/shard_window.hpp"

#include <algorithm>
#include <utility>

namespace turns {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kIntervalMost{1};
// Seconds of the system's clock; where a request takes so long that a look costs much, fewer.
constexpr std::int64_t kLooksAgain = 10, kLooksAgainLater = 60;
constexpr double kLongLook = 0.02;
constexpr std::chrono::seconds kSlowFor{10}, kSlowForMost{60};
constexpr std::chrono::seconds kOpensAfter{1};  // of nobody waiting
constexpr double kUsed = 0.7;  // of those that may be under way are, where some wait
constexpr std::size_t kFew = 4;
constexpr double kNoticed = 64;     // under way, or there is nothing to limit
constexpr double kCrowded = 0.010;  // seconds that requests wait for each other
constexpr double kLags = 3;         // of the sender's, that a request and its answer meet
constexpr double kKept = 0.0005, kQuick = 0.005;
constexpr double kOpenFor = 0.25;    // seconds' answers are under way, where all is well
constexpr double kSampled = 20'000;  // timed in a second, about
constexpr std::uint64_t kSamplesLeast = 4;
// A look: each step has an eighth of those before, for so many answers (fewer would be the quickest
// alone), or so long at most; and there is another where so much of the best rate is reached still,
// or they have become quicker by so much: then requests wait for each other, or for other senders'.
constexpr std::size_t kStep = 8;
constexpr std::uint64_t kLooksAt = 64;
constexpr std::chrono::seconds kDrains{10}, kLooks{5};
constexpr double kAsMany = 0.7, kQuicker = 0.6;
constexpr double kSlower = 1.5;
constexpr int kLookCosts = 50;  // of its time it takes one part

/// How long requests may wait for each other where they are limited. What a few take is known the
/// better the more there were in a look: of slow ones there are few, and where that is taken for
/// less than it is by half, a shard would have less and less to do.
double kept(double few_take) {
  return std::max(kKept, few_take < kQuick ? few_take / 2 : few_take);
}

}  // namespace

std::uint64_t ShardWindow::Seen::answered() const {
  std::uint64_t sum = 0;
  for (const OfKind& each : kinds) sum += each.answered;
  return sum;
}

std::uint64_t ShardWindow::Seen::samples() const {
  std::uint64_t sum = 0;
  for (const OfKind& each : kinds) sum += each.samples;
  return sum;
}

double ShardWindow::Seen::mean() const {
  double sum = 0, answers = 0;
  for (const OfKind& each : kinds) {
    if (each.samples == 0) continue;
    const auto share = static_cast<double>(each.answered);
    sum += Seconds(each.sum).count() / static_cast<double>(each.samples) * share;
    answers += share;
  }
  return answers > 0 ? sum / answers : 0;
}

void ShardWindow::answered(Kind kind, Clock::time_point sent, Clock::time_point now) {
  answered(kind);
  add_sample(kind, sent, now);
}

/// It tells, late, how crowded the shard is.
void ShardWindow::stuck_answered(Kind kind, Clock::time_point sent, Clock::time_point now) {
  stuck_ended();
  ++interval_.kinds[index(kind)].answered;
  add_sample(kind, sent, now);
}

void ShardWindow::add_sample(Kind kind, Clock::time_point sent, Clock::time_point now) {
  if (const auto* looking = std::get_if<Looking>(&state_))
    if (!looking->few_since || sent < *looking->few_since) return;
  OfKind& seen = interval_.kinds[index(kind)];
  ++seen.samples;
  seen.sum += now - sent;
}

/// The best of two intervals that follow each other: one alone may have the answers of another.
double ShardWindow::rate() const {
  double best = 0;
  for (std::size_t i = 1; i < kRates; ++i)
    best =
        std::max(best, rates_[(next_rate_ + i - 1) % kRates] + rates_[(next_rate_ + i) % kRates]);
  return best / 2;
}

double ShardWindow::own(const Seen& seen) const {
  double known = 0, kinds = 0;
  for (const double each : own_) {
    known += each;
    kinds += each > 0 ? 1 : 0;
  }
  if (kinds == 0) return 0;
  double sum = 0, answers = 0;
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto share = static_cast<double>(seen.kinds[i].answered);
    sum += share * (own_[i] > 0 ? own_[i] : known / kinds);
    answers += share;
  }
  return answers > 0 ? sum / answers : known / kinds;
}

std::chrono::nanoseconds ShardWindow::few_take() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(own(last_)));
}

bool ShardWindow::crowded(const Seen& seen) const {
  const double few_take = own(seen);
  return seen.mean() - few_take > std::max(kCrowded, few_take) + kLags * Seconds(lag_).count();
}

void ShardWindow::tick(Clock::time_point now, std::chrono::nanoseconds lag,
                       std::chrono::milliseconds wall) {
  lag_ = lag;
  stuck_after_ = patience(now);
  if (const auto* looking = std::get_if<Looking>(&state_)) return look_on(*looking, now);
  const std::int64_t second = wall / std::chrono::seconds(1);
  const bool begins = std::exchange(second_, second) != second;
  if (begins && limits() &&
      (second % (own(last_) < kLongLook ? kLooksAgain : kLooksAgainLater) == 0 ||
       slower_than_thought()))
    return look(now, true);
  if (now - interval_began_ < interval_is_) return;
  end_interval(now);
  if (std::holds_alternative<Open>(state_)) {
    if (slow_until_ != Clock::time_point() && now >= slow_until_) {
      slow_until_ = {};
      own_ = {};
    }
    const bool busy =
        last_.samples() >= kSamplesLeast &&
        (waited_ || rates_[(next_rate_ + kRates - 1) % kRates] * last_.mean() > kNoticed);
    if (busy && crowded(last_)) return look(now, false);
    go_on_open();
  } else {
    go_on_limiting(now);
  }
  waited_ = false;
}

/// While it looks, requests that were sent before may take any time, as long as there are answers.
std::chrono::nanoseconds ShardWindow::patience(Clock::time_point now) {
  const std::uint64_t answers = interval_.answered();
  if (std::exchange(answers_, answers) != answers) answered_last_ = now;
  if (std::holds_alternative<Open>(state_)) return kNever;
  if (std::holds_alternative<Looking>(state_))
    return now - answered_last_ > kStuck ? std::chrono::nanoseconds(0) : kNever;
  const double few_take = own(last_);
  const auto usual =
      std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(few_take + kept(few_take)));
  return std::max<std::chrono::nanoseconds>(kStuck, 8 * usual);
}

void ShardWindow::end_interval(Clock::time_point now) {
  const double seconds = Seconds(now - interval_began_).count();
  const bool first = interval_began_ == Clock::time_point();
  interval_began_ = now;
  const Seen seen = std::exchange(interval_, Seen());
  if (first) return;
  const double answers = static_cast<double>(seen.answered()) / seconds;
  rates_[next_rate_++ % kRates] = answers;
  most_ever_ = std::max(open_, static_cast<std::size_t>(rate() * kOpenFor));
  mask_ = 0;
  while (answers / static_cast<double>(mask_ + 1) > kSampled) mask_ = 2 * mask_ + 1;
  if (seen.samples() < kSamplesLeast) return;
  last_ = seen;
  const auto usual = std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(seen.mean()));
  interval_is_ = std::clamp<std::chrono::nanoseconds>(usual, kInterval, kIntervalMost);
}

void ShardWindow::go_on_open() { most_ = most_ever_; }

void ShardWindow::go_on_limiting(Clock::time_point now) {
  auto& limiting = std::get<Limiting>(state_);
  if (waited_ && last_rate() * last_.mean() > kUsed * static_cast<double>(most_))
    limiting.waited_last = now;
  if (now - limiting.waited_last > kOpensAfter) {
    state_ = Open();
    return go_on_open();
  }
  const double few_take = own(last_);
  const double number = rate() * (few_take + kept(few_take));
  most_ = std::clamp(static_cast<std::size_t>(number), kFew, std::max(kFew, most_ever_));
}

void ShardWindow::look(Clock::time_point now, bool limited) {
  const double under_way = limited ? static_cast<double>(most_) : last_rate() * last_.mean();
  const double slower = limited ? own(last_) : last_.mean();
  state_ = Looking{now, now, std::nullopt, last_, slower, limited};
  most_ = std::max(kFew, static_cast<std::size_t>(under_way) / kStep);
  mask_ = 0;
}

/// As many are under way as should take about twice as long as a few, and they take longer by far.
bool ShardWindow::slower_than_thought() const {
  const double few_take = own(last_);
  return last_.mean() > kSlower * (few_take + kept(few_take));
}

void ShardWindow::look_on(Looking looking, Clock::time_point now) {
  if (!looking.few_since) {
    if (under_way_ > most_ && now - looking.step_began < kDrains) return;
    interval_ = {};
    std::get<Looking>(state_).few_since = now;
    return;
  }
  const std::uint64_t samples = interval_.samples();
  const bool enough = samples >= std::max<std::uint64_t>(kLooksAt, 2 * most_);
  if (!enough && now - *looking.few_since < kLooks) return;
  for (std::size_t i = 0; i < kKinds; ++i) {
    const OfKind& seen = interval_.kinds[i];
    if (seen.samples == 0) continue;
    own_[i] = std::max(Seconds(seen.sum).count() / static_cast<double>(seen.samples), 1e-6);
  }
  const double answers = static_cast<double>(samples) / Seconds(now - *looking.few_since).count();
  const double took = own(looking.before);
  const bool crowd = answers > kAsMany * rate() || took < kQuicker * looking.slower;
  if (!enough || most_ <= kFew || !crowd) return end_look(looking, now);
  looking.slower = took;
  most_ = std::max(kFew, most_ / kStep);
  looking.step_began = now;
  looking.few_since.reset();
  interval_ = {};
  state_ = looking;
}

void ShardWindow::end_look(const Looking& looking, Clock::time_point now) {
  const bool nothing_seen = interval_.samples() == 0;
  interval_ = {};
  interval_began_ = now;
  if (looking.limited || (!nothing_seen && crowded(looking.before))) {
    slow_for_ = {};
    waited_ = true;
    state_ = Limiting{now};
    last_ = looking.before;
    return go_on_limiting(now);
  }
  // Slow by itself. The more a look costs, the later is the next one.
  slow_for_ = std::clamp<std::chrono::nanoseconds>(2 * slow_for_, kSlowFor, kSlowForMost);
  slow_until_ =
      now + std::max<std::chrono::nanoseconds>(slow_for_, kLookCosts * (now - looking.began));
  state_ = Open();
  go_on_open();
}

}  // namespace turns

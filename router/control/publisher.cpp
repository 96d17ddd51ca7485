#include "router/control/publisher.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "router/log/log.hpp"

namespace router {
namespace {

using Clock = std::chrono::steady_clock;

// A worker that does not answer within this is named, not waited for.
constexpr std::chrono::seconds kWorkerAnswer{1};

}  // namespace

std::string missing_workers(const Published& published) {
  std::string names;
  for (const std::size_t worker : published.missing)
    names += (names.empty() ? "" : ", ") + std::to_string(worker);
  return (published.missing.size() == 1 ? "worker " : "workers ") + names;
}

/// One publication, until every worker has acknowledged it.
struct Publisher::Round {
  Round(boost::asio::io_context& loop, std::size_t workers)
      : limit(loop), acknowledged(workers), left(workers) {}

  boost::asio::steady_timer limit;
  std::vector<bool> acknowledged;
  std::size_t left;
  bool late = false;  // the limit has passed
  Clock::time_point began = Clock::now();
  Published published;
  std::vector<Told> told;
};

Publisher::Publisher(boost::asio::io_context& loop, std::vector<std::unique_ptr<Worker>>& workers,
                     Log& log)
    : loop_(loop), workers_(workers), log_(log) {}

void Publisher::begin(Publication first, ShardSources::Opened opened) {
  opened_ = std::move(opened);
  const std::scoped_lock lock(mutex_);
  current_ = std::make_shared<const Publication>(std::move(first));
}

std::shared_ptr<const Publication> Publisher::current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

PublicationCounts Publisher::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

/// Only we give references away, and what we hold alone has none to be copied from: a count of one
/// stays one. So each snapshot is held once, however often it was published.
void Publisher::keep_replaced(std::shared_ptr<const Snapshot> snapshot) {
  if (snapshot != current_->snapshot &&
      std::find(replaced_.begin(), replaced_.end(), snapshot) == replaced_.end())
    replaced_.push_back(std::move(snapshot));
  snapshot.reset();
  std::erase_if(replaced_,
                [](const std::shared_ptr<const Snapshot>& each) { return each.use_count() == 1; });
}

/// Workers take publications in the order in which they are posted; a round that is late goes on by
/// itself when another one has begun.
void Publisher::publish(Publication next, ShardSources::Opened opened, Told told) {
  const auto publication = std::make_shared<const Publication>(std::move(next));
  opened_ = std::move(opened);
  std::shared_ptr<const Snapshot> replaced;
  {
    const std::scoped_lock lock(mutex_);
    replaced = current_->snapshot;
    current_ = publication;
    ++counts_.publications;
  }
  keep_replaced(std::move(replaced));
  const auto round = round_ = std::make_shared<Round>(loop_, workers_.size());
  round->told.push_back(std::move(told));
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->publish(publication, [this, round, i](std::chrono::nanoseconds pause) {
      boost::asio::post(loop_, [this, round, i, pause] { acknowledged(round, i, pause); });
    });
  if (round->left == 0) return tell(*round);
  round->limit.expires_after(kWorkerAnswer);
  round->limit.async_wait([this, round](const boost::system::error_code& error) {
    if (!error && round->left > 0) over_time(round);
  });
}

void Publisher::acknowledged(const std::shared_ptr<Round>& round, std::size_t worker,
                             std::chrono::nanoseconds pause) {
  round->acknowledged[worker] = true;
  round->published.pause = std::max(round->published.pause, pause);
  if (round->late)
    log_.warn("a worker has acknowledged the ring late",
              {{"worker", static_cast<std::uint64_t>(worker)}});
  if (--round->left > 0) return;
  round->limit.cancel();
  round->published.missing.clear();
  tell(*round);
}

void Publisher::over_time(const std::shared_ptr<Round>& round) {
  round->late = true;
  for (std::size_t i = 0; i < round->acknowledged.size(); ++i) {
    if (round->acknowledged[i]) continue;
    round->published.missing.push_back(i);
    log_.error("a worker has not acknowledged the ring",
               {{"worker", static_cast<std::uint64_t>(i)}});
  }
  tell(*round);
}

void Publisher::tell(Round& round) {
  round.published.took = Clock::now() - round.began;
  {
    const std::scoped_lock lock(mutex_);
    counts_.last = round.published;
    counts_.longest_pause = std::max(counts_.longest_pause, round.published.pause);
  }
  for (const Told& each : std::exchange(round.told, {})) each(round.published);
}

void Publisher::await(Told told) {
  if (round_ == nullptr || round_->left == 0 || round_->late)
    return told(round_ == nullptr ? Published() : round_->published);
  round_->told.push_back(std::move(told));
}

}  // namespace router

#include "router/control/publisher.hpp"

#include <algorithm>
#include <future>

#include "router/log/log.hpp"

namespace router {
namespace {

// A worker that does not answer within this is named, not waited for.
constexpr std::chrono::seconds kWorkerAnswer{1};

}  // namespace

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
/// stays one.
void Publisher::forget_unused() {
  std::erase_if(replaced_, [](const std::shared_ptr<const Snapshot>& snapshot) {
    return snapshot.use_count() == 1;
  });
}

Published Publisher::publish(std::shared_ptr<const Snapshot> snapshot) {
  Publication next = *current();
  next.snapshot = std::move(snapshot);
  return publish(std::move(next), opened_);
}

Published Publisher::publish(Publication next, ShardSources::Opened opened) {
  const auto publication = std::make_shared<const Publication>(std::move(next));
  std::vector<std::future<std::chrono::nanoseconds>> acknowledged;
  const auto began = std::chrono::steady_clock::now();
  for (const auto& worker : workers_) {
    auto promise = std::make_shared<std::promise<std::chrono::nanoseconds>>();
    acknowledged.push_back(promise->get_future());
    worker->publish(publication,
                    [promise](std::chrono::nanoseconds pause) { promise->set_value(pause); });
  }
  Published published;
  for (std::size_t i = 0; i < acknowledged.size(); ++i) {
    if (acknowledged[i].wait_until(began + kWorkerAnswer) == std::future_status::ready) {
      published.pause = std::max(published.pause, acknowledged[i].get());
    } else {
      ++published.missing;
      log_.error("a worker has not acknowledged the ring",
                 {{"worker", static_cast<std::uint64_t>(i)}});
    }
  }
  published.took = std::chrono::steady_clock::now() - began;
  opened_ = std::move(opened);
  {
    const std::scoped_lock lock(mutex_);
    replaced_.push_back(current_->snapshot);
    current_ = publication;
    ++counts_.publications;
    counts_.last = published;
    counts_.longest_pause = std::max(counts_.longest_pause, published.pause);
  }
  forget_unused();
  return published;
}

}  // namespace router

#include "fleet/service/watched_nodes.hpp"

#include <utility>

namespace fleet {
namespace {

using coordination::Node;
using coordination::Outcome;

constexpr int kRoundsMost = 20;

}  // namespace

struct WatchedNodes::Reading {
  std::vector<std::string> paths;
  Done done;
  std::size_t missing = 0;
  int rounds = 0;
  Outcome outcome = Outcome::done;
};

WatchedNodes::WatchedNodes(coordination::Session& session, std::function<void()> changed)
    : session_(session), changed_(std::move(changed)) {}

void WatchedNodes::read(std::vector<std::string> paths, Done done) {
  auto reading = std::make_shared<Reading>();
  reading->done = std::move(done);
  std::vector<std::string> missing{paths.front()};
  for (std::size_t i = 1; i < paths.size(); ++i)
    if (!known_.contains(paths[i])) missing.push_back(paths[i]);
  reading->paths = std::move(paths);
  read_missing(reading, std::move(missing));
}

void WatchedNodes::read_missing(const std::shared_ptr<Reading>& reading,
                                std::vector<std::string> missing) {
  reading->missing = missing.size();
  for (const std::string& path : missing)
    session_.get(path, watch(path), [this, reading, path](Outcome outcome, Node node) {
      const bool was_read = outcome == Outcome::done || outcome == Outcome::no_node;
      if (!was_read) {
        reading->outcome = outcome;
        watched_.erase(path);  // no watch waits where nothing was read
        known_.erase(path);
      } else if (watched_.contains(path)) {  // else it was told of meanwhile, and is read again
        known_[path] = outcome == Outcome::done ? std::optional(std::move(node)) : std::nullopt;
      }
      if (--reading->missing == 0) got(reading);
    });
}

/// Some may have changed while others were read.
void WatchedNodes::got(const std::shared_ptr<Reading>& reading) {
  if (reading->outcome != Outcome::done) return reading->done(reading->outcome, {});
  std::vector<std::string> missing;
  for (const std::string& path : reading->paths)
    if (!known_.contains(path)) missing.push_back(path);
  if (!missing.empty() && ++reading->rounds > kRoundsMost)
    return reading->done(Outcome::unknown, {});
  if (!missing.empty()) return read_missing(reading, std::move(missing));
  Nodes nodes;
  for (const std::string& path : reading->paths)
    if (const auto& node = known_.at(path)) nodes[path] = *node;
  reading->done(Outcome::done, std::move(nodes));
}

/// One for each node: those that wait would only become more.
coordination::Session::Watch WatchedNodes::watch(const std::string& path) {
  if (!watched_.insert(path).second) return nullptr;
  return [this, path] {
    watched_.erase(path);
    known_.erase(path);
    changed_();
  };
}

}  // namespace fleet

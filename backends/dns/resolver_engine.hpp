#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "backends/dns/addresses.hpp"

struct ares_channeldata;

namespace backends::dns {

class FollowedName;

/// The thread that asks: one c-ares channel, one poll loop. Internal to the resolver.
class ResolverEngine {
 public:
  explicit ResolverEngine(const std::vector<std::string>& servers);
  ~ResolverEngine();
  ResolverEngine(const ResolverEngine&) = delete;
  ResolverEngine& operator=(const ResolverEngine&) = delete;

  std::shared_ptr<AddressSource> follow(const std::string& name, std::uint16_t port, bool srv);

 private:
  void run();
  void wait(std::chrono::milliseconds limit);
  void wake();

  ares_channeldata* channel_ = nullptr;
  int wake_pipe_[2] = {-1, -1};
  std::mutex mutex_;
  bool stopping_ = false;                         // guarded by mutex_
  std::list<std::weak_ptr<FollowedName>> names_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace backends::dns

#include "backends/dns/resolver_engine.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include <ares.h>

#include "backends/dns/followed_name.hpp"

namespace backends::dns {
namespace {

constexpr int kQuestionMilliseconds = 1500;
constexpr int kTries = 3;

}  // namespace

ResolverEngine::ResolverEngine(const std::vector<std::string>& servers) {
  static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
  if (initialised != ARES_SUCCESS) throw std::runtime_error("c-ares can't be used");
  ares_options options{};
  options.timeout = kQuestionMilliseconds;
  options.tries = kTries;
  if (ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
    throw std::runtime_error("c-ares can't be set up");
  std::string list;
  for (const std::string& server : servers) list += (list.empty() ? "" : ",") + server;
  if (!list.empty() && ares_set_servers_ports_csv(channel_, list.c_str()) != ARES_SUCCESS)
    throw std::runtime_error("dns.resolvers can't be used: " + list);
  if (pipe2(wake_pipe_, O_NONBLOCK | O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  thread_ = std::thread([this] { run(); });
}

ResolverEngine::~ResolverEngine() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  ares_destroy(channel_);
  close(wake_pipe_[0]);
  close(wake_pipe_[1]);
}

std::shared_ptr<AddressSource> ResolverEngine::follow(const std::string& name, std::uint16_t port,
                                                      bool srv) {
  auto followed = std::make_shared<FollowedName>(name, port, srv);
  {
    const std::scoped_lock lock(mutex_);
    names_.push_back(followed);
  }
  wake();
  return followed;
}

void ResolverEngine::wake() {
  const char byte = 0;
  // A full pipe wakes as well.
  [[maybe_unused]] const ssize_t ignored = write(wake_pipe_[1], &byte, 1);
}

void ResolverEngine::run() {
  for (;;) {
    std::vector<std::shared_ptr<FollowedName>> names;
    {
      const std::scoped_lock lock(mutex_);
      if (stopping_) break;
      std::erase_if(names_, [](const auto& name) { return name.expired(); });
      for (const auto& weak : names_)
        if (auto name = weak.lock()) names.push_back(std::move(name));
    }
    const auto now = FollowedName::Clock::now();
    auto next = now + std::chrono::seconds(60);
    for (const auto& name : names) next = std::min(next, name->ask_if_due(channel_, now));
    names.clear();
    wait(std::max(std::chrono::milliseconds(1),
                  std::chrono::duration_cast<std::chrono::milliseconds>(next - now)));
  }
  ares_cancel(channel_);
}

void ResolverEngine::wait(std::chrono::milliseconds limit) {
  ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
  const int wanted = ares_getsock(channel_, sockets, ARES_GETSOCK_MAXNUM);
  std::vector<pollfd> descriptors{{wake_pipe_[0], POLLIN, 0}};
  for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
    short events = 0;
    if (ARES_GETSOCK_READABLE(wanted, i)) events |= POLLIN;
    if (ARES_GETSOCK_WRITABLE(wanted, i)) events |= POLLOUT;
    if (events != 0) descriptors.push_back({sockets[i], events, 0});
  }
  timeval most{static_cast<time_t>(limit.count() / 1000),
               static_cast<suseconds_t>(limit.count() % 1000 * 1000)};
  timeval until{};
  const timeval* least = ares_timeout(channel_, &most, &until);
  poll(descriptors.data(), descriptors.size(),
       static_cast<int>(least->tv_sec * 1000 + least->tv_usec / 1000 + 1));

  char drained[64];
  while (read(wake_pipe_[0], drained, sizeof drained) > 0) {
  }
  bool any = false;
  for (std::size_t i = 1; i < descriptors.size(); ++i) {
    const pollfd& at = descriptors[i];
    if (at.revents == 0) continue;
    any = true;
    ares_process_fd(channel_,
                    (at.revents & (POLLIN | POLLERR | POLLHUP)) != 0 ? at.fd : ARES_SOCKET_BAD,
                    (at.revents & POLLOUT) != 0 ? at.fd : ARES_SOCKET_BAD);
  }
  if (!any) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
}

}  // namespace backends::dns

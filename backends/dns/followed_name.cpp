#include "backends/dns/followed_name.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>

#include <boost/asio/post.hpp>

namespace backends::dns {
namespace {

constexpr std::chrono::seconds kTimeToLiveLeast{1};
constexpr std::chrono::seconds kTimeToLiveMost{3600};
constexpr std::chrono::seconds kAfterFailure{2};

/// The least TTL of a reply's answers.
std::chrono::seconds time_to_live(const unsigned char* reply, int bytes) {
  ns_msg message;
  if (ns_initparse(reply, bytes, &message) != 0) return kTimeToLiveLeast;
  std::chrono::seconds least = kTimeToLiveMost;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) == 0)
      least = std::min(least, std::chrono::seconds(ns_rr_ttl(record)));
  }
  return least;
}

}  // namespace

/// The questions of one refresh; finished when the last answer is in.
struct FollowedName::Round {
  std::shared_ptr<FollowedName> name;
  ares_channeldata* channel = nullptr;
  Addresses addresses;
  bool failed = false;
  std::chrono::seconds time_to_live = kTimeToLiveMost;

  ~Round() { name->finish(*this); }
};

namespace {

/// What a c-ares callback gets: one share of its round.
template <typename Round>
struct Question {
  std::shared_ptr<Round> round;
  std::uint16_t port;
};

}  // namespace

std::shared_ptr<void> FollowedName::watch(boost::asio::io_context& loop, Changed changed) {
  auto watcher = std::make_shared<Watcher>();
  watcher->loop = &loop;
  watcher->changed = std::move(changed);
  const std::scoped_lock lock(mutex_);
  watchers_.push_back(watcher);
  if (answered_) tell(watcher, addresses_);
  // The token's end waits for a call in progress, so that none comes after it.
  return {watcher.get(), [watcher, self = shared_from_this()](void*) {
            const std::scoped_lock stopped(watcher->mutex);
            watcher->watching = false;
          }};
}

/// A watcher's loop lives at least as long as its token, whose end waits for this lock.
void FollowedName::tell(const std::shared_ptr<Watcher>& watcher, const Addresses& addresses) {
  const std::scoped_lock watched(watcher->mutex);
  if (!watcher->watching) return;
  boost::asio::post(*watcher->loop, [watcher, addresses] {
    const std::scoped_lock lock(watcher->mutex);
    if (watcher->watching) watcher->changed(addresses);
  });
}

FollowedName::Clock::time_point FollowedName::ask_if_due(ares_channeldata* channel,
                                                         Clock::time_point now) {
  if (asking_) return now + std::chrono::seconds(60);
  if (now < due_) return due_;
  asking_ = true;
  auto round = std::make_shared<Round>();
  round->name = shared_from_this();
  round->channel = channel;
  if (!srv_) {
    ask_addresses(channel, round, name_, port_);
    return now + std::chrono::seconds(60);
  }
  auto* question = new Question<Round>{round, port_};
  const std::string service = "_moray._tcp." + name_;
  ares_query(
      channel, service.c_str(), ns_c_in, ns_t_srv,
      [](void* argument, int status, int, unsigned char* reply, int bytes) {
        const std::unique_ptr<Question<Round>> asked(static_cast<Question<Round>*>(argument));
        Round& whole = *asked->round;
        ares_srv_reply* records = nullptr;
        if (status == ARES_SUCCESS &&
            ares_parse_srv_reply(reply, bytes, &records) == ARES_SUCCESS && records != nullptr) {
          whole.time_to_live = time_to_live(reply, bytes);
          for (const ares_srv_reply* record = records; record != nullptr; record = record->next)
            whole.name->ask_addresses(whole.channel, asked->round, record->host, record->port);
          ares_free_data(records);
        } else if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_SUCCESS) {
          whole.name->ask_addresses(whole.channel, asked->round, whole.name->name_, asked->port);
        } else {
          whole.failed = true;
        }
      },
      question);
  return now + std::chrono::seconds(60);
}

void FollowedName::ask_addresses(ares_channeldata* channel, const std::shared_ptr<Round>& round,
                                 const std::string& host, std::uint16_t port) {
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  auto* question = new Question<Round>{round, port};
  ares_getaddrinfo(
      channel, host.c_str(), nullptr, &hints,
      [](void* argument, int status, int, ares_addrinfo* result) {
        const std::unique_ptr<Question<Round>> asked(static_cast<Question<Round>*>(argument));
        Round& whole = *asked->round;
        if (status != ARES_SUCCESS) {
          whole.failed = true;
          return;
        }
        for (const ares_addrinfo_node* node = result->nodes; node != nullptr;
             node = node->ai_next) {
          boost::asio::ip::tcp::endpoint endpoint;
          endpoint.resize(node->ai_addrlen);
          std::copy_n(reinterpret_cast<const char*>(node->ai_addr), node->ai_addrlen,
                      reinterpret_cast<char*>(endpoint.data()));
          endpoint.port(asked->port);
          if (std::find(whole.addresses.begin(), whole.addresses.end(), endpoint) ==
              whole.addresses.end())
            whole.addresses.push_back(endpoint);
          // 0 is an answer that must not be kept.
          whole.time_to_live = std::min(whole.time_to_live, std::chrono::seconds(node->ai_ttl));
        }
        ares_freeaddrinfo(result);
      },
      question);
}

/// A failed question keeps the old addresses; the first of all is told even so, as "none".
void FollowedName::finish(const Round& round) {
  asking_ = false;
  const bool useless = round.failed && round.addresses.empty();
  due_ = Clock::now() +
         (round.failed ? kAfterFailure : std::max(round.time_to_live, kTimeToLiveLeast));
  Addresses sorted = round.addresses;
  std::sort(sorted.begin(), sorted.end());
  const std::scoped_lock lock(mutex_);
  if (answered_ && (useless || sorted == addresses_)) return;
  answered_ = true;
  addresses_ = std::move(sorted);
  std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
  for (const auto& weak : watchers_)
    if (const auto watcher = weak.lock()) tell(watcher, addresses_);
}

}  // namespace backends::dns

#include "backends/moray/moray_shard.hpp"

#include <string>
#include <utility>

#include "fast/frame.hpp"

namespace backends::moray {
namespace {

constexpr std::uint64_t kWaitingBit = std::uint64_t{1} << 63;
constexpr int kMessageIdBits = 31;

/// A sent request's ticket: its connection's number and its message id there.
Ticket ticket_of(const Connection& connection, std::uint32_t message_id) {
  return Ticket{connection.id() << kMessageIdBits | message_id};
}

std::uint64_t connection_number(std::uint64_t ticket) { return ticket >> kMessageIdBits; }

std::uint32_t message_number(std::uint64_t ticket) {
  return static_cast<std::uint32_t>(ticket & ((std::uint64_t{1} << kMessageIdBits) - 1));
}

Submitted refused(FailureKind kind, std::string message) {
  return {std::nullopt, Failure{kind, std::move(message), "{}"}};
}

const char* no_connection_text(const Request& request) {
  return request.stream ? "no active connections" : "no connections available";
}

}  // namespace

MorayShard::MorayShard(boost::asio::io_context& loop, std::shared_ptr<AddressSource> source,
                       MorayShardOptions options)
    : options_(options), pool_(loop, std::move(source), options.pool, *this) {}

Connection* MorayShard::connection_for(const Request& request) {
  return request.stream ? pool_.stream() : pool_.point(request.affinity);
}

std::optional<Failure> MorayShard::over_bounds(const Request& request) const {
  const Load& load = pool_.load();
  if (load.under_way() + waiting_.size() >= options_.in_flight_max) {
    std::string text = "too many requests are in flight to this shard";
    if (load.given_up > 0)
      text += ", " + std::to_string(load.given_up) + " of them given up and not answered";
    return Failure{FailureKind::overloaded, text, "{}"};
  }
  std::size_t bytes = fast::kHeaderBytes;
  for (const std::string_view piece : request.pieces) bytes += piece.size();
  const std::size_t unsent = load.unsent_bytes + waiting_.bytes();
  if (unsent == 0 || unsent + bytes <= options_.unsent_bytes_max) return std::nullopt;
  return Failure{FailureKind::overloaded,
                 "too many bytes are unsent to this shard: " + std::to_string(unsent) + " and " +
                     std::to_string(bytes) + " more, of " +
                     std::to_string(options_.unsent_bytes_max),
                 "{}"};
}

Submitted MorayShard::submit(const Request& request, ReplySink& sink) {
  if (retired_) return refused(FailureKind::no_connections, no_connection_text(request));
  if (auto failure = over_bounds(request)) return {std::nullopt, *std::move(failure)};
  // Those that came before go before. Unless connections have changed, they still have to wait.
  if (!waiting_.empty() && changes_served_ != pool_.changes()) serve_waiting();
  if (Connection* connection = connection_for(request))
    return {ticket_of(*connection, connection->send(request, sink)), {}};
  if (request.stream ? pool_.stream_hopeless() : pool_.hopeless())
    return refused(FailureKind::no_connections, no_connection_text(request));
  return wait(request, sink);
}

Submitted MorayShard::wait(const Request& request, ReplySink& sink) {
  if (waiting_.size() >= options_.waiting_max)
    return refused(FailureKind::overloaded,
                   "too many requests wait for a connection to this shard");
  const std::uint64_t ticket = kWaitingBit | ++next_waiting_;
  waiting_.add(ticket, request, sink);
  return {Ticket{ticket}, {}};
}

/// In order of arrival, so that a vnode's requests keep theirs. O(requests that wait).
void MorayShard::serve_waiting() {
  changes_served_ = pool_.changes();
  WaitingRequests::List& points = waiting_.list_of(false);
  for (auto entry = points.begin(); entry != points.end();) {
    Connection* connection = connection_for(entry->request);
    entry = connection != nullptr ? send(entry, *connection) : std::next(entry);
  }
  serve_waiting_streams();
}

/// O(those that are served).
void MorayShard::serve_waiting_streams() {
  WaitingRequests::List& streams = waiting_.list_of(true);
  while (!streams.empty()) {
    Connection* connection = pool_.stream();
    if (connection == nullptr) return;
    send(streams.begin(), *connection);
  }
}

WaitingRequests::List::iterator MorayShard::send(WaitingRequests::List::iterator entry,
                                                 Connection& connection) {
  const std::string_view pieces[] = {entry->payload};
  entry->request.pieces = pieces;
  const std::uint32_t message_id = connection.send(entry->request, *entry->sink, entry->ticket);
  aliases_.emplace(entry->ticket, ticket_of(connection, message_id).number);
  return waiting_.erase(entry);
}

void MorayShard::fail_waiting(bool streams) {
  // Taken out before the sinks are told: they may submit again.
  for (const WaitingRequests::Entry& entry : waiting_.take(streams))
    entry.sink->on_failure({FailureKind::no_connections, no_connection_text(entry.request), "{}"});
}

void MorayShard::connections_changed() {
  serve_waiting();
  if (pool_.hopeless()) fail_waiting(false);
  if (pool_.stream_hopeless()) fail_waiting(true);
  retire_pool_when_done();
}

void MorayShard::connection_idle(Connection& connection) {
  if (!waiting_.empty() && pool_.is_stream(connection)) serve_waiting_streams();
  retire_pool_when_done();
}

void MorayShard::waited_request_over(std::uint64_t ticket) { aliases_.erase(ticket); }

/// The ticket of its connection and message id; 0: it still waits, or is over.
std::uint64_t MorayShard::sent_as(Ticket ticket) const {
  if ((ticket.number & kWaitingBit) == 0) return ticket.number;
  const auto alias = aliases_.find(ticket.number);
  return alias == aliases_.end() ? 0 : alias->second;
}

Connection* MorayShard::connection_of(Ticket ticket) const {
  return pool_.find(connection_number(sent_as(ticket)));
}

bool MorayShard::cancel(Ticket ticket) {
  if (waiting_.cancel(ticket.number)) {
    retire_pool_when_done();
    return true;
  }
  const std::uint64_t sent = sent_as(ticket);
  Connection* connection = pool_.find(connection_number(sent));
  if (connection == nullptr) return false;
  if (connection->take_back(message_number(sent))) return true;
  if (!pool_.is_stream(*connection)) return connection->forget_read(message_number(sent));
  pool_.abandon(*connection);
  return true;
}

void MorayShard::pause(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->pause();
}

void MorayShard::resume(Ticket ticket) {
  if (Connection* connection = connection_of(ticket)) connection->resume();
}

void MorayShard::retire() {
  retired_ = true;
  retire_pool_when_done();
}

void MorayShard::retire_pool_when_done() {
  if (retired_ && waiting_.empty()) pool_.retire();
}

bool MorayShard::idle() const { return retired_ && waiting_.empty() && pool_.count() == 0; }

bool MorayShard::healthy() const { return !retired_ && pool_.healthy(); }

ShardStatus MorayShard::status() const {
  ShardStatus status;
  status.healthy = healthy();
  status.connections = pool_.up();
  status.in_flight = pool_.load().under_way() + waiting_.size();
  for (const auto& address : pool_.addresses()) {
    if (!status.address.empty()) status.address += ", ";
    status.address += address.address().to_string() + ":" + std::to_string(address.port());
  }
  status.last_problem = pool_.last_problem();
  return status;
}

}  // namespace backends::moray

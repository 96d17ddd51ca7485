#include "backends/postgres/wire/transport.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "backends/postgres/wire/query.hpp"

namespace backends::postgres {
namespace {

using boost::asio::posix::stream_descriptor;
using boost::system::error_code;

void set_cork(PGconn* connection, int on) {
  setsockopt(PQsocket(connection), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

}  // namespace

Transport::Transport(boost::asio::io_context& loop, Options options, Events events)
    : options_(std::move(options)), events_(std::move(events)), socket_(loop), limit_(loop) {
  limit_.expires_after(options_.limit);
  limit_.async_wait(lifetime_.guard([this](const error_code& error) {
    if (!error) fail("connecting took too long");
  }));
  // Nothing happens from here: the owner does not have us yet.
  if (options_.hosts.empty()) {
    boost::asio::post(loop, lifetime_.guard([this] { connect({}); }));
    return;
  }
  lookup_ = std::make_unique<HostLookup>(
      loop, options_.hosts, [this](const std::vector<Host>& found, const std::string& problem) {
        if (found.empty()) return fail(problem);
        connect(found);
      });
}

/// `hosts`: of the URL, with their addresses; empty: libpq sees to them.
void Transport::connect(const std::vector<Host>& hosts) {
  if (closed_) return;
  std::string names, addresses, ports;
  for (const Host& host : hosts) {
    const char* comma = &host == &hosts.front() ? "" : ",";
    names += comma + host.name;
    addresses += comma + host.address;
    ports += comma + host.port;
  }
  // What stands before the URL it may override, what stands after it not.
  // A server that is gone without a word is noticed within a minute.
  const std::string application = application_name();
  std::vector<const char*> keywords{
      "target_session_attrs", "keepalives_idle", "keepalives_interval", "keepalives_count",
      "tcp_user_timeout",     "dbname",          "application_name",    "client_encoding"};
  std::vector<const char*> values{
      "read-write", "30", "10", "3", "60000", options_.url.c_str(), application.c_str(), "UTF8"};
  if (!hosts.empty()) {
    keywords.insert(keywords.end(), {"host", "hostaddr", "port"});
    values.insert(values.end(), {names.c_str(), addresses.c_str(), ports.c_str()});
  }
  keywords.push_back(nullptr);
  values.push_back(nullptr);
  connection_ = PQconnectStartParams(keywords.data(), values.data(), 1);
  if (connection_ != nullptr)
    PQsetNoticeProcessor(
        connection_, [](void*, const char*) {}, nullptr);
  poll_connect();
}

void Transport::fail(const std::string& why) {
  const auto failed = events_.failed;  // by which we may end
  failed(why);
}

std::string Transport::error_text() const { return one_line(PQerrorMessage(connection_)); }

std::string Transport::address() const {
  if (connection_ == nullptr || PQhost(connection_) == nullptr) return "";
  return std::string(PQhost(connection_)) + ":" +
         (PQport(connection_) == nullptr ? "" : PQport(connection_));
}

/// libpq may use another socket for each address that it tries.
void Transport::assign_socket() {
  error_code ignored;
  socket_.close(ignored);
  const int own = fcntl(PQsocket(connection_), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return;  // no descriptors: what waits on it fails, and so does the connection
  socket_.assign(own, ignored);
}

void Transport::poll_connect() {
  if (closed_) return;
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD)
    return fail(connection_ == nullptr ? "out of memory" : error_text());
  const PostgresPollingStatusType status = PQconnectPoll(connection_);
  if (status == PGRES_POLLING_FAILED) return fail(error_text());
  assign_socket();
  if (!socket_.is_open()) return fail("out of descriptors");
  if (status == PGRES_POLLING_OK) {
    PQsetnonblocking(connection_, 1);
    const auto connected = events_.connected;
    return connected();
  }
  socket_.async_wait(status == PGRES_POLLING_READING ? stream_descriptor::wait_read
                                                     : stream_descriptor::wait_write,
                     lifetime_.guard([this](const error_code&) { poll_connect(); }));
}

void Transport::close() {
  if (std::exchange(closed_, true)) return;
  limit_.cancel();
  error_code ignored;
  socket_.close(ignored);
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
}

void Transport::await_readable() {
  if (closed_ || std::exchange(reading_, true)) return;
  socket_.async_wait(stream_descriptor::wait_read, lifetime_.guard([this](const error_code& error) {
    reading_ = false;
    if (error || closed_) return;
    const auto readable = events_.readable;  // by which we may end
    readable(PQconsumeInput(connection_) == 0 ? error_text() : "");
  }));
}

void Transport::await_writable() {
  if (closed_ || std::exchange(writing_, true)) return;
  socket_.async_wait(stream_descriptor::wait_write,
                     lifetime_.guard([this](const error_code& error) {
                       writing_ = false;
                       if (error || closed_) return;
                       if (!flush()) return fail(error_text());
                       if (writing_ || !events_.drained) return;
                       const auto drained = events_.drained;  // by which we may end
                       drained();
                     }));
}

bool Transport::flush() {
  const int left = PQflush(connection_);
  if (left > 0) await_writable();  // input is read meanwhile: the server may wait for that
  return left >= 0;
}

void Transport::cork() {
  if (std::exchange(corked_, true)) return;
  set_cork(connection_, 1);
}

void Transport::uncork() {
  if (std::exchange(corked_, false)) set_cork(connection_, 0);
}

}  // namespace backends::postgres

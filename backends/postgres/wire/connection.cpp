#include "backends/postgres/wire/connection.hpp"

#include <charconv>

#include <fcntl.h>

#include <boost/asio/post.hpp>

#include "backends/postgres/wire/application_name.hpp"
#include "backends/postgres/wire/session_settings.hpp"

namespace backends::postgres {
namespace {

using boost::system::error_code;

std::string quoted(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'') literal += c;
    literal += c;
  }
  return literal + "'";
}

}  // namespace

Connection::Connection(boost::asio::io_context& loop, Options options, std::uint64_t& round_trips,
                       std::function<void()> changed)
    : loop_(loop), options_(std::move(options)), round_trips_(round_trips),
      changed_(std::move(changed)), socket_(loop), limit_(loop), sent_(options_.mode) {
  limit_.expires_after(options_.connect_limit);
  limit_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
    if (!error && !alive.expired() && state() == State::connecting)
      close("connecting took too long");
  });
  // Nothing happens from here: the owner does not have us yet.
  if (options_.hosts.empty()) {
    boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) connect({});
    });
    return;
  }
  lookup_ = std::make_unique<HostLookup>(
      loop_, options_.hosts, [this](const std::vector<Host>& found, const std::string& problem) {
        if (found.empty()) return close(problem);
        connect(found);
      });
}

/// `hosts`: of the URL, with their addresses; empty: libpq sees to them.
void Connection::connect(const std::vector<Host>& hosts) {
  if (state_ != State::connecting) return;
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

Connection::~Connection() {
  changed_ = nullptr;
  close("closed");
}

std::string Connection::error_text() const { return one_line(PQerrorMessage(connection_)); }

std::string Connection::address() const {
  if (connection_ == nullptr || PQhost(connection_) == nullptr) return "";
  return std::string(PQhost(connection_)) + ":" +
         (PQport(connection_) == nullptr ? "" : PQport(connection_));
}

/// libpq may use another socket for each address that it tries.
void Connection::assign_socket() {
  error_code ignored;
  socket_.close(ignored);
  const int own = fcntl(PQsocket(connection_), F_DUPFD_CLOEXEC, 0);
  if (own < 0) return;  // no descriptors: what waits on it fails, and so does the connection
  socket_.assign(own, ignored);
}

void Connection::poll_connect() {
  if (state_ != State::connecting) return;
  if (connection_ == nullptr || PQstatus(connection_) == CONNECTION_BAD)
    return close(connection_ == nullptr ? "out of memory" : error_text());
  const PostgresPollingStatusType status = PQconnectPoll(connection_);
  if (status == PGRES_POLLING_FAILED) return close(error_text());
  if (status == PGRES_POLLING_OK) return after_connect();
  assign_socket();
  if (!socket_.is_open()) return close("out of descriptors");
  const auto wanted = status == PGRES_POLLING_READING
                          ? boost::asio::posix::stream_descriptor::wait_read
                          : boost::asio::posix::stream_descriptor::wait_write;
  socket_.async_wait(wanted, [this, alive = std::weak_ptr<bool>(alive_)](const error_code&) {
    if (!alive.expired()) poll_connect();
  });
}

void Connection::after_connect() {
  assign_socket();
  if (!socket_.is_open()) return close("out of descriptors");
  PQsetnonblocking(connection_, 1);
  state_ = State::up;
  settle();
}

/// The settings on which the meaning of a statement or the text of a value depends. A pipeline's
/// statements name rows by their keys. Prepared while a table was small, they would keep a plan
/// that reads all of it: there they may not. Where that is so, a plan that has to costs
/// 10,000,000,000 more, by which it would be compiled each time: of a site's triggers, say, and
/// their small tables.
Statement Connection::settings() const {
  std::string sql = "SELECT pg_backend_pid()";
  const auto set = [&sql](std::string_view name, std::string_view value) {
    sql += ", set_config(" + quoted(name) + ", " + quoted(value) + ", false)";
  };
  for (const SessionSetting& each : session_settings())
    if (!each.of_connections.empty()) set(each.name, each.of_connections);
  if (options_.mode == Mode::pipeline) {
    set("enable_seqscan", "off");
    if (version() >= 110000) set("jit", "off");  // older ones compile nothing
  }
  if (options_.statement_limit.count() > 0)
    set("statement_timeout", std::to_string(options_.statement_limit.count()));
  return once(std::move(sql));
}

/// Before anybody else may send anything.
void Connection::settle() {
  if (PQsendQueryParams(connection_, settings().sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                        0) == 0)
    return close(error_text());
  auto pending = std::make_unique<Pending>(pending::Settings());
  progress_ = pending->sent = std::chrono::steady_clock::now();
  sent_.add(std::move(pending));
  flush();
  wait_readable();
}

void Connection::settled(const QueryResult& result) {
  if (result.error || result.rows.count() != 1)
    return close("the session's settings: " + (result.error ? result.error->message : "no answer"));
  const std::string_view process = result.rows.text(0, 0);
  std::from_chars(process.data(), process.data() + process.size(), backend_);
  limit_.cancel();
  settled_ = true;
  if (options_.mode == Mode::pipeline) PQenterPipelineMode(connection_);
  if (const auto changed = changed_) changed();
}

void Connection::close(const std::string& why) {
  if (state_ == State::closed) return;
  state_ = State::closed;
  problem_ = why;
  limit_.cancel();
  error_code ignored;
  socket_.close(ignored);
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
  const std::weak_ptr<bool> alive = alive_;
  fail_all();  // by which our owner may end
  if (alive.expired() || !changed_) return;
  boost::asio::post(loop_, [this, alive] {
    if (!alive.expired())
      if (const auto changed = changed_) changed();
  });
}

/// What was in flight is answered by those who wait for it, and one of those may own us.
void Connection::fail_all() {
  kept_back_ = {};
  resume_all(sent_.lose(problem_));
}

void Connection::wait_readable() {
  if (reading_ || held_ || state_ != State::up) return;
  reading_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       reading_ = false;
                       if (error || state_ != State::up) return;
                       read();
                       if (!alive.expired()) wait_readable();
                     });
}

void Connection::wait_writable() {
  if (writing_ || state_ != State::up) return;
  writing_ = true;
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [this, alive = std::weak_ptr<bool>(alive_)](const error_code& error) {
                       if (alive.expired()) return;
                       writing_ = false;
                       if (!error && state_ == State::up) flush();
                     });
}

/// What a turn of the loop has sent goes with one write.
void Connection::want_flush() {
  if (flush_posted_) return;
  flush_posted_ = true;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flush_posted_ = false;
    if (state_ != State::up) return;
    sync_reads();
    sent_in_turn_ = 0;
    if (!unsendable_.empty()) return close(unsendable_);
    flush();
    if (state_ == State::up) let_go();
  });
}

void Connection::flush() {
  const int left = PQflush(connection_);
  if (left < 0) return close(error_text());
  if (left > 0) wait_writable();  // input is read meanwhile: the server may wait for that
}

void Connection::read() {
  const std::weak_ptr<bool> alive = alive_;
  if (PQconsumeInput(connection_) == 0) {
    const std::string why = error_text();
    take_results();  // what came before the end
    if (!alive.expired()) close(why);
    return;
  }
  take_results();
  if (!alive.expired() && notified_) take_notifications();
  if (!alive.expired() && state_ == State::up && PQstatus(connection_) == CONNECTION_BAD)
    close(error_text());
}

}  // namespace backends::postgres

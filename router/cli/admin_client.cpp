#include "router/cli/admin_client.hpp"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>

#include "ring/vnode_set.hpp"

namespace router::cli {
namespace {

/// Sends one request and waits for its answer. Throws std::exception.
Json ask(const std::string& path, const Json& request) {
  using boost::asio::local::stream_protocol;
  boost::asio::io_context loop;
  stream_protocol::socket socket(loop);
  socket.connect(stream_protocol::endpoint(path));
  boost::asio::write(socket, boost::asio::buffer(request.dump() + "\n"));
  boost::asio::streambuf answer;
  boost::asio::read_until(socket, answer, '\n');
  std::istream lines(&answer);
  std::string line;
  std::getline(lines, line);
  return Json::parse(line);
}

/// For people: a member a line, indented by depth.
void print(const Json& value, const std::string& indent = "") {
  for (const auto& [name, member] : value.items()) {
    const std::string label = indent + (value.is_array() ? "-" : name + ":");
    if (member.is_structured() && !member.empty()) {
      std::printf("%s\n", label.c_str());
      print(member, indent + "  ");
    } else {
      std::printf("%s %s\n", label.c_str(),
                  member.is_string() ? member.get<std::string>().c_str() : member.dump().c_str());
    }
  }
}

AdminExit exit_of(const Json& result) {
  if (!result.is_object()) return AdminExit::done;
  if (const auto drained = result.find("drained"); drained != result.end() && *drained == false)
    return AdminExit::not_drained;
  if (const auto lost = result.find("indeterminate"); lost != result.end() && !lost->empty())
    return AdminExit::indeterminate;
  return AdminExit::done;
}

}  // namespace

AdminExit tell_router(const std::string& socket, bool json, const std::string& command,
                      const Json& arguments) {
  try {
    const Json answer = ask(socket, {{"v", 1}, {"command", command}, {"arguments", arguments}});
    const bool ok = answer.at("ok");
    if (json)
      std::printf("%s\n", answer.dump().c_str());
    else if (ok)
      print(answer.at("result"));
    else
      std::fprintf(stderr, "moray-router: %s\n",
                   answer.at("error").at("message").get<std::string>().c_str());
    return ok ? exit_of(answer.at("result")) : AdminExit::refused;
  } catch (const boost::system::system_error& error) {
    std::fprintf(stderr, "moray-router: admin socket %s: %s\n", socket.c_str(),
                 error.code().message().c_str());
    return AdminExit::refused;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "moray-router: admin socket %s: %s\n", socket.c_str(), error.what());
    return AdminExit::refused;
  }
}

std::string read_vnodes(const std::string& given) {
  std::string where = "--vnodes", text = given;
  if (given == "-") {
    where = "stdin";
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (given.starts_with("@")) {
    where = given.substr(1);
    std::ifstream file(where);
    if (!file) throw std::runtime_error(where + ": can't be read");
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  try {
    const auto vnodes = ring::VnodeSet::parse(text);
    if (vnodes.empty()) throw std::invalid_argument("no vnodes are named");
    return vnodes.to_text();
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(where + ": " + error.what());
  }
}

}  // namespace router::cli

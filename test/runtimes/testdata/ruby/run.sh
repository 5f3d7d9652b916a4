set -e
ruby main.rb
